import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { UnavailableError } from "../../src/base/errors.ts";
import { Instance } from "../../src/client/index.ts";
import type { Backend, ExecuteCall, Group, Outcome, Session } from "../../src/port/index.ts";
import { StateStore, type StateStoreOptions } from "../../src/state/index.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";

/**
 * What becomes of a group on its way. `lost`: it takes effect, the reply is lost. `dropped`: it does not, and nobody knows.
 * `refused`: it was not sent. `hangs`: it takes effect when the line is released.
 */
export type Fate = "ok" | "lost" | "dropped" | "refused" | "hangs";

/** A way to a Memory server that is somewhere else and has faults. */
export class FaultyLine {
  readonly time: VirtualTime = virtualTime();
  readonly server = new MemoryServer({ time: this.time });
  /** Every group that was sent, with its fate. */
  readonly sent: { readonly group: Group; readonly fate: Fate }[] = [];
  readonly #fates: Fate[] = [];
  #released: (() => void)[] = [];

  /** The fates of the next groups that write (or of all, with `reads`); then all is well. */
  next(...fates: readonly Fate[]): void {
    this.#fates.push(...fates);
    this.sent.length = 0;
  }

  /** What hangs takes effect. */
  release(): void {
    for (const go of this.#released.splice(0)) go();
  }

  /** An instance behind the line. */
  instance(): Instance {
    return new Instance(this.#backend());
  }

  store<T>(options?: StateStoreOptions<T>, instance = this.instance()): StateStore<T> {
    return new StateStore<T>(instance, "entries", options);
  }

  /** A store that is right at the server. */
  near<T>(): StateStore<T> {
    return new StateStore<T>(new Instance(memoryBackend({ server: this.server })), "entries");
  }

  #backend(): Backend {
    const backend = memoryBackend({ server: this.server });
    return {
      ...backend,
      name: "far",
      time: this.time,
      open: async () => backend.open(),
      close: async () => backend.close(),
      session: () => this.#session(backend.session()),
    };
  }

  #session(session: Session): Session {
    const { signals } = session;
    return {
      id: session.id,
      ...(signals ? { signals } : {}),
      page: async (query, call) => session.page(query, call),
      close: async () => session.close(),
      execute: async (groups, call) => Promise.all(groups.map(async (group, i) => this.#run(session, group, i, call))),
    };
  }

  async #run(session: Session, group: Group, i: number, call: ExecuteCall): Promise<Outcome> {
    const failed = (sent: boolean): Outcome => ({
      ok: false,
      why: "failed",
      sent,
      error: new UnavailableError("the line broke"),
    });
    if (!call.claim(i)) return failed(false);
    const fate = this.#fates.shift() ?? "ok";
    this.sent.push({ group, fate });
    if (fate === "refused") return failed(false);
    if (fate === "dropped") return failed(true);
    if (fate === "hangs") await new Promise<void>((resolve) => this.#released.push(resolve));
    const [outcome] = await session.execute([group], { deadline: call.deadline, claim: () => true });
    return fate === "lost" ? failed(true) : (outcome as Outcome);
  }
}

/** Every promise callback and every tick that is due. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
