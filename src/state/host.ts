import type { Call, Instance } from "../client/index.ts";
import type { Backend, Opened } from "../port/index.ts";
import { Lines } from "./lines.ts";
import { Running } from "./running.ts";

const hosts = new WeakMap<Instance, Host>();
const lines = new WeakMap<Backend, Lines>();

/** What all stores of one instance share. */
export class Host {
  /** Where calls on one key wait for each other. Shared by all instances of a backend in this process. */
  readonly lines: Lines;
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
    let shared = lines.get(backend);
    if (!shared) lines.set(backend, (shared = new Lines(backend.time)));
    this.#instance = instance;
    this.lines = shared;
    this.running = new Running(instance);
  }

  /**
   * The opened backend, once it is open and no earlier call waits for that: no call may overtake another one on its
   * key.
   */
  get known(): Opened | undefined {
    return this.#waiting === 0 ? (this.#opened ??= this.#instance.known) : undefined;
  }

  /** Opens the backend unless it is {@link known}. */
  async ready(call: Call): Promise<Opened> {
    this.#waiting++;
    try {
      return (this.#opened = await this.#instance.opened(call));
    } finally {
      // The waiting call goes on in the next promise callback, and has made its request before this one runs.
      queueMicrotask(() => queueMicrotask(() => this.#waiting--));
    }
  }
}
