import { InvalidArgumentError, UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import type { Time, Timer } from "../../base/time.ts";
import type {
  ExecuteCall,
  Group,
  Outcome,
  Page,
  Query,
  Session,
  Signal,
  Signals,
  Subscription,
} from "../../port/index.ts";
import { self, type Engine } from "./engine.ts";
import { closedError, notSent, toError, unclaimed } from "./failures.ts";
import { onlyReads, type Reads } from "./reads.ts";

/** Most operations and guards in a group: what one transaction holds others up. */
export const maxGroup = 256;
/** Largest value, in bytes. */
export const maxValue = 16 * 1024 * 1024;

/** An instance on the directory. */
export class LmdbSession implements Session {
  readonly id = `${self}/${drawId()}`;
  readonly signals: Signals;
  readonly #time: Time;
  readonly #engine: () => Engine;
  readonly #opened: () => Engine | undefined;
  readonly #onClose: () => void;
  #closed = false;

  /** `engine` makes the engine or throws; `opened` is the one there is. */
  constructor(time: Time, engine: () => Engine, opened: () => Engine | undefined, onClose: () => void) {
    this.#time = time;
    this.#engine = engine;
    this.#opened = opened;
    this.#onClose = onClose;
    this.signals = {
      subscribe: (to, listener) => this.#subscribe(to, listener),
      publish: async (topic, body) => this.#live().publish(topic, body),
    };
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    let engine: Engine;
    try {
      engine = this.#live();
    } catch (error) {
      return groups.map(() => notSent(toError(error as Error)));
    }
    const outcomes: Outcome[] = [];
    const { reads } = engine;
    for (const [i, group] of groups.entries()) {
      const refused = this.#refused(group);
      if (refused) outcomes[i] = notSent(refused);
      else if (reads && onlyReads(group)) {
        const outcome = readNow(reads, group);
        if (outcome) outcomes[i] = call.claim(i) ? outcome : unclaimed();
      }
    }
    const settled = engine.commits.submit(groups, this.id, call, outcomes);
    // Fails what was just queued, should it not open; it ends by its deadline anyhow.
    if (!reads) engine.reopen().catch(() => undefined);
    return settled;
  }

  executeNow(group: Group): Outcome | undefined {
    if (this.#closed || !onlyReads(group)) return undefined;
    const reads = this.#opened()?.reads;
    return reads && readNow(reads, group);
  }

  async page(query: Query, call: { readonly deadline: number }): Promise<Page> {
    const engine = this.#live();
    if (!engine.reads) await this.#before(engine.open(), call.deadline);
    try {
      if (engine.reads) return engine.reads.page(query);
    } catch (error) {
      throw toError(error as Error);
    }
    throw new UnavailableError("the lmdb backend is not open", { backend: "lmdb" });
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#opened()?.signals.drop(this.id);
      this.#onClose();
    }
    return Promise.resolve();
  }

  #live(): Engine {
    if (this.#closed) throw closedError();
    return this.#engine();
  }

  /** Waits for `opening`, until the deadline. */
  async #before(opening: Promise<void>, deadline: number): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = this.#time.after(deadline - this.#time.monotonic(), () => {
        reject(new UnavailableError("the directory could not be opened in time", { backend: "lmdb" }));
      });
    });
    try {
      await Promise.race([opening, late]);
    } finally {
      timer?.clear();
    }
  }

  async #subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    const engine = this.#live();
    await engine.open();
    return engine.signals.subscribe(this.id, to, listener);
  }

  /** What is wrong with a group. */
  #refused(group: Group): InvalidArgumentError | undefined {
    if (group.ops.length + (group.guards?.length ?? 0) > maxGroup) {
      return new InvalidArgumentError(`a group may hold at most ${maxGroup} operations`, { backend: "lmdb" });
    }
    for (const op of group.ops) {
      if (op.op === "set" && op.value.length * 3 > maxValue && Buffer.byteLength(op.value) > maxValue) {
        return new InvalidArgumentError(`a value may have at most ${maxValue} bytes`, {
          backend: "lmdb",
          key: op.key.key,
        });
      }
    }
    return undefined;
  }
}

/** Runs a read whose failure is an outcome. */
function readNow(reads: Reads, group: Group): Outcome | undefined {
  try {
    return reads.group(group);
  } catch (error) {
    return notSent(toError(error as Error));
  }
}
