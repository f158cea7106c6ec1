import { isHoldfastError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import { pauseFor, type Timer } from "../base/time.ts";
import type { Closing, Instance } from "../client/index.ts";
import type { LockState, Operation } from "../port/index.ts";
import type { TaskList } from "./task-list.ts";

/** How long a turn, or a place in the store's queue, lasts at most, in ms. One whose process has died is over then. */
const turnTtlMs = 2_000;
/** How often a contender asks whether its turn has come, in ms, with and without signals of the store. */
const askMs = { withSignals: 500, without: 25 } as const;
/** Longest pause, in ms, where the store has no turns. */
const longestPauseMs = 20;

/** An owner id that waits in the store's queue. */
interface Contender {
  /** Its turn has come. */
  begin(): unknown;
  /** Its turn may have come. */
  ask(): unknown;
}

/** A turn that was taken. */
export interface Turn {
  /** Whether another process had the turn meanwhile. */
  readonly waited: boolean;
  /** Passes the turn on. Harmless when it was over. */
  end(): void;
}

/**
 * Turns of the processes that change the same record, first come first served, by a lock of the store that has the
 * record. A turn is politeness and no exclusion: every write is checked all the same, so a turn that ends too early
 * costs a conflict. In a store without exclusion there are no turns; a random pause separates the processes that met.
 */
export class Turns implements Closing {
  readonly #instance: Instance;
  /** The contenders in the store's queue, by owner id. */
  readonly #contenders = new Map<string, Contender>();
  #listening: "no" | "starting" | "live" = "no";
  #unsubscribe: (() => void) | undefined;

  static readonly #all = new WeakMap<Instance, Turns>();

  static of(instance: Instance): Turns {
    let turns = Turns.#all.get(instance);
    if (!turns) Turns.#all.set(instance, (turns = new Turns(instance)));
    return turns;
  }

  private constructor(instance: Instance) {
    this.#instance = instance;
    instance.register(this);
  }

  /**
   * Waits for a turn as long as a task waits in the list; with `ahead`, asks once even if none does. Where no turn can
   * be had, the next round goes without. Does not reject.
   */
  async take(lock: Key, list: TaskList, ahead = false): Promise<Turn> {
    const { capabilities } = list.terms.opened;
    if (capabilities.exclusion === "none") {
      await this.#pause(Math.random() * longestPauseMs);
      return { waited: true, end: () => undefined };
    }
    const owner = drawId();
    let over = false;
    const end = (): void => {
      if (!over) void this.#release(lock, owner);
      over = true;
    };
    const wait = { claimMs: turnTtlMs };
    const acquire: Operation = { op: "acquire", lock, owner, mode: "exclusive", ttl: turnTtlMs, wait, info: "" };
    let waited = false;
    try {
      for (let goesOn = ahead || list.tasks.size > 0; goesOn; goesOn = list.tasks.size > 0) {
        // Before the request: the signal of a grant may arrive sooner than the refusal that precedes it.
        const grant = this.#expect(owner);
        const answer = this.#instance.execute({ ops: [acquire] }, this.#instance.ownCall());
        const reply = answer instanceof Promise ? await list.ask(answer) : answer;
        if (reply.ok || reply.why !== "held") break;
        this.#listen();
        waited = true;
        if (await grant.within(waitMs(reply.state, capabilities.push), list)) break;
      }
    } catch (error) {
      // If the store is away, the round itself says so to the callers.
      if (!isHoldfastError(error)) this.#instance.events.emit("error", { what: "take a turn", error });
    } finally {
      this.#contenders.delete(owner);
    }
    return { waited, end };
  }

  async end(): Promise<void> {
    this.#unsubscribe?.();
  }

  /** Notes signals for an owner from now on. `within` waits for one: true for a grant, false to ask again. */
  #expect(owner: string): { within(ms: number, list: TaskList): Promise<boolean> } {
    let granted: boolean | undefined;
    const contender: Contender = { begin: () => (granted = true), ask: () => (granted ??= false) };
    this.#contenders.set(owner, contender);
    return {
      within: async (ms, list) => {
        if (granted !== undefined) return granted;
        let timer: Timer | undefined;
        const begins = await new Promise<boolean>((resolve) => {
          contender.begin = () => resolve(true);
          contender.ask = list.onEmpty = () => resolve(false);
          timer = this.#instance.time.after(ms, () => resolve(false), { ref: true });
        });
        list.onEmpty = undefined;
        timer?.clear();
        return begins;
      },
    };
  }

  /** Listens for grants from now on. Until that works, contenders ask. */
  #listen(): void {
    const { session } = this.#instance;
    if (this.#listening !== "no" || !session.signals) return;
    this.#listening = "starting";
    this.#instance
      .subscribe({ grants: true }, (signal) => {
        if (signal.type === "granted") this.#contenders.get(signal.owner)?.begin();
        else if (signal.type === "gap") for (const { ask } of this.#contenders.values()) ask();
      })
      .then(
        (unsubscribe) => {
          this.#listening = "live";
          this.#unsubscribe = unsubscribe;
          // The signal of an earlier grant may have been missed.
          for (const { ask } of this.#contenders.values()) ask();
        },
        (error: unknown) => {
          this.#listening = "no";
          this.#instance.events.emit("error", { what: "listen for turns", error });
        },
      );
  }

  async #pause(ms: number): Promise<void> {
    await pauseFor(this.#instance.time, ms);
  }

  async #release(lock: Key, owner: string): Promise<void> {
    try {
      await this.#instance.execute({ ops: [{ op: "release", lock, owner }] }, this.#instance.ownCall());
    } catch (error) {
      // No caller waits for this: the turn ends with its ttl.
      this.#instance.events.emit("error", { what: "pass a turn on", error });
    }
  }
}

/** When to ask again without a signal: at the latest when the present holder of the turn must have ended. */
function waitMs({ holders }: LockState, push: boolean): number {
  const ends = holders.reduce((least, { remainingMs }) => Math.min(least, remainingMs), Infinity);
  return Math.min(ends, push ? askMs.withSignals : askMs.without);
}
