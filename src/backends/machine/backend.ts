import { systemTime, type Time } from "../../base/time.ts";
import type { Backend, Examination, Opened, Session } from "../../port/index.ts";
import { closedError } from "../common/failures.ts";
import type { Engine } from "./engine.ts";
import { Environment } from "./environment.ts";
import { MachineSession } from "./session.ts";

interface Shared {
  readonly environment: Environment;
  users: number;
}

/**
 * One environment a place, whatever the number of backends: they share its thread, its socket and its files. By what
 * the place is called.
 */
const environments = new Map<string, Shared>();
/** Environments on their way out, which the next one of their place waits for. */
const closing = new Map<string, Promise<void>>();

/** An embedded backend: files on a local disk, shared by the processes of the machine. */
export class MachineBackend implements Backend {
  readonly name: string;
  readonly time: Time;
  readonly #engine: Engine;
  readonly #examine: (backend: Backend, deadline: number) => Promise<Examination>;
  readonly #sessions = new Set<Session>();
  #shared: Shared | undefined;
  #closed = false;

  constructor(
    engine: Engine,
    time: Time | undefined,
    examine: (backend: Backend, deadline: number) => Promise<Examination>,
  ) {
    this.name = engine.name;
    this.time = time ?? systemTime;
    this.#engine = engine;
    this.#examine = examine;
  }

  async open(): Promise<Opened> {
    const environment = this.#environment();
    try {
      return { domain: await environment.open(), capabilities: this.#engine.capabilities };
    } catch (error) {
      await this.#leave();
      throw error;
    }
  }

  session(): Session {
    const session = new MachineSession(
      this.#engine,
      () => this.#environment(),
      () => this.#shared?.environment,
      () => this.#sessions.delete(session),
    );
    this.#sessions.add(session);
    return session;
  }

  examine({ deadline }: { readonly deadline: number }): Promise<Examination> {
    return this.#examine(this, deadline);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#sessions].map((session) => session.close()));
    await this.#leave();
  }

  /** The environment of the data. Throws what `prepare` of the engine does. */
  #environment(): Environment {
    if (this.#closed) throw closedError(this.name);
    if (this.#shared) return this.#shared.environment;
    const place = this.#engine.prepare();
    let shared = environments.get(place.path);
    if (!shared) {
      const environment = new Environment(this.#engine, place, this.time, closing.get(place.path));
      shared = { environment, users: 0 };
      environments.set(place.path, shared);
    }
    shared.users++;
    this.#shared = shared;
    return shared.environment;
  }

  async #leave(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    if (!shared || --shared.users > 0) return;
    const { environment } = shared;
    const at = environment.place.path;
    environments.delete(at);
    const end = environment.close().finally(() => {
      if (closing.get(at) === end) closing.delete(at);
    });
    closing.set(at, end);
    await end;
  }
}
