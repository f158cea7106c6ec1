import type { Call, Instance } from "../client/index.ts";
import type { Backend, Opened } from "../port/index.ts";
import { Running } from "./running.ts";
import { Turns } from "./turns.ts";

const hosts = new WeakMap<Instance, Host>();
const turns = new WeakMap<Backend, Turns>();

/** What all stores of one instance share. */
export class Host {
  /** Turns on keys, shared by all instances of a backend in this process. */
  readonly turns: Turns;
  readonly running: Running;
  readonly #instance: Instance;
  #opened: Opened | undefined;
  #waiting = 0;

  /** The host of an instance. */
  static of(instance: Instance): Host {
    let host = hosts.get(instance);
    if (!host) hosts.set(instance, (host = new Host(instance)));
    return host;
  }

  private constructor(instance: Instance) {
    const { backend } = instance;
    let shared = turns.get(backend);
    if (!shared) turns.set(backend, (shared = new Turns(backend.time)));
    this.#instance = instance;
    this.turns = shared;
    this.running = new Running(instance);
  }

  /** What the backend is, once that is known and no earlier call waits for it: none may overtake another one on its key. */
  get known(): Opened | undefined {
    return this.#waiting === 0 ? (this.#opened ??= this.#instance.known) : undefined;
  }

  /** What the backend is, opening it if need be. Where it is {@link known} there is nothing to wait for. */
  async ready(call: Call): Promise<Opened> {
    this.#waiting++;
    try {
      return (this.#opened = await this.#instance.opened(call));
    } finally {
      // Who waited goes on in the next promise callback, and has made its request when this one is over.
      queueMicrotask(() => queueMicrotask(() => this.#waiting--));
    }
  }
}
