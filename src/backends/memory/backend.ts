import { InvalidArgumentError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import type { Time } from "../../base/time.ts";
import type {
  Backend,
  ExecuteCall,
  Group,
  Opened,
  Outcome,
  Page,
  Query,
  Session,
  Signal,
  Signals,
  Subscription,
} from "../../port/index.ts";
import { closedError, givenUp, notSent } from "../common/failures.ts";
import { checkMessage, checkTopic } from "../common/messages.ts";
import { capabilities } from "./limits.ts";
import { MemoryServer } from "./server.ts";

/** Which data a Memory backend is a client of. */
export interface MemoryOptions {
  /**
   * Data that every backend of this name in the process shares, for as long as the process lives: it stays when all
   * of them are closed. Without it (and without `server`) the backend has data of its own.
   */
  readonly name?: string | undefined;
  /** Data that is shared by handing it out. Not together with `name`. */
  readonly server?: MemoryServer | undefined;
  /** Clocks and timers of data of its own. The machine's unless told. Not together with `name` or `server`. */
  readonly time?: Time | undefined;
}

const backend = "memory";

/** Those that have a client, or hold data. */
const named = new Map<string, MemoryServer>();
/** No grant of a server that takes the place of one that was dropped is below. */
let grantFloor = 0;

/**
 * Everything in the memory of this process: exact, fast, and gone with it. Throws InvalidArgumentError for options that
 * exclude each other.
 */
export function memoryBackend(options: MemoryOptions = {}): Backend {
  return new MemoryBackend(serverOf(options), options.name);
}

function serverOf({ name, server, time }: MemoryOptions): MemoryServer {
  if ((name === undefined ? 0 : 1) + (server === undefined ? 0 : 1) + (time === undefined ? 0 : 1) > 1) {
    throw new InvalidArgumentError(
      "name, server and time exclude each other: data that is shared has a clock of its own",
    );
  }
  if (server) return server;
  if (name === undefined) return new MemoryServer({ time });
  let shared = named.get(name);
  if (!shared) {
    named.set(name, (shared = new MemoryServer()));
    shared.raiseGrants(grantFloor);
  }
  return shared;
}

/** Drops a server that nobody uses and in which nothing is left, so that names that come and go take no memory. */
function dropIfEmpty(name: string, server: MemoryServer): void {
  const floor = server.emptyFloor();
  if (floor === undefined) return;
  named.delete(name);
  grantFloor = Math.max(grantFloor, floor);
}

class MemoryBackend implements Backend {
  readonly name = backend;
  readonly time: Time;
  readonly #server: MemoryServer;
  /** The name that the server is shared by. */
  readonly #shared: string | undefined;
  readonly #sessions = new Set<MemorySession>();
  #closed = false;

  constructor(server: MemoryServer, shared: string | undefined) {
    this.time = server.time;
    this.#server = server;
    this.#shared = shared;
    server.attach();
  }

  async open(): Promise<Opened> {
    if (this.#closed) throw closedError(backend);
    return { domain: this.#server.domain, capabilities };
  }

  session(): Session {
    const session = new MemorySession(this.#server, () => this.#sessions.delete(session));
    if (this.#closed) session.end();
    else this.#sessions.add(session);
    return session;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const session of [...this.#sessions]) session.end();
    if (this.#server.detach() && this.#shared !== undefined) dropIfEmpty(this.#shared, this.#server);
  }
}

class MemorySession implements Session {
  readonly id: string = drawId();
  readonly signals: Signals;
  readonly #server: MemoryServer;
  readonly #subscriptions = new Set<() => void>();
  readonly #onEnd: () => void;
  #ended = false;

  constructor(server: MemoryServer, onEnd: () => void) {
    this.#server = server;
    this.#onEnd = onEnd;
    this.signals = {
      subscribe: (to, listener) => this.#subscribe(to, listener),
      publish: (topic, body) => this.#publish(topic, body),
    };
  }

  executeNow(group: Group): Outcome {
    return this.#ended ? notSent(closedError(backend)) : this.#server.run(group, this.id);
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    return groups.map((group, i) => (call.claim(i) ? this.executeNow(group) : givenUp(backend)));
  }

  async page(query: Query): Promise<Page> {
    if (this.#ended) throw closedError(backend);
    return this.#server.page(query);
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stop of [...this.#subscriptions]) stop();
    this.#onEnd();
  }

  async #subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    if (this.#ended) throw closedError(backend);
    if ("topic" in to) checkTopic(to.topic, backend);
    const leave = this.#server.bus.join(this.id, to, listener);
    const stop = (): void => {
      leave();
      this.#subscriptions.delete(stop);
    };
    this.#subscriptions.add(stop);
    return stop;
  }

  async #publish(topic: string, body: string): Promise<void> {
    if (this.#ended) throw closedError(backend);
    checkTopic(topic, backend);
    checkMessage(body, backend);
    this.#server.bus.publish(topic, body);
  }
}
