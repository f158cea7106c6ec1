import { isHoldfastError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import type { Timer } from "../base/time.ts";
import type { Closing, Instance } from "../client/index.ts";
import type { LockState, Operation } from "../port/index.ts";
import type { Queue } from "./queue.ts";

/** How long a turn lasts at most, in ms, and a place in the store's queue: one whose process has died is over then. */
const turnTtlMs = 2_000;
/** How often one asks whether its turn has come, in ms, where the store tells, and where it does not. */
const askMs = { told: 500, untold: 25 } as const;
/** Longest pause, in ms, where there are no turns. */
const longestPauseMs = 20;

/** One who waits in the store's queue. */
interface Waiter {
  /** Its turn has come. */
  begin(): unknown;
  /** It may have. */
  ask(): unknown;
}

/** A turn that was taken. */
export interface Turn {
  /** Whether somebody else had it meanwhile. */
  readonly waited: boolean;
  /** Passes it on; harmless when it was over. */
  end(): void;
}

/**
 * Turns of the processes that change the same, first come first served, by a lock of the store that has the records. They are
 * politeness, not exclusion: what is written is checked all the same, so a turn that ended too early costs a conflict. A store that
 * excludes nobody has none; a pause of random length parts those who meet.
 */
export class Turns implements Closing {
  readonly #instance: Instance;
  /** Those who wait in the store's queue, by their owner ids. */
  readonly #waiting = new Map<string, Waiter>();
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
   * Waits for a turn as long as anybody in the queue does, with `ahead` once also if nobody does yet. Where none is to be had, what
   * comes next does without.
   */
  async take(lock: Key, queue: Queue, ahead = false): Promise<Turn> {
    const { capabilities } = queue.terms.opened;
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
      for (let goesOn = ahead || queue.jobs.size > 0; goesOn; goesOn = queue.jobs.size > 0) {
        // Before it asks: a grant may be told sooner than the refusal that comes before it.
        const told = this.#told(owner);
        const answer = this.#instance.execute({ ops: [acquire] }, this.#instance.ownCall());
        const reply = answer instanceof Promise ? await queue.ask(answer) : answer;
        if (reply.ok || reply.why !== "held") break;
        this.#listen();
        waited = true;
        if (await told.within(waitMs(reply.state, capabilities.push), queue)) break;
      }
    } catch (error) {
      // A store that is away says so to the records as well.
      if (!isHoldfastError(error)) this.#instance.events.emit("error", { what: "take a turn", error });
    } finally {
      this.#waiting.delete(owner);
    }
    return { waited, end };
  }

  async end(): Promise<void> {
    this.#unsubscribe?.();
  }

  #told(owner: string): { within(ms: number, queue: Queue): Promise<boolean> } {
    let told: boolean | undefined;
    const waiter: Waiter = { begin: () => (told = true), ask: () => (told ??= false) };
    this.#waiting.set(owner, waiter);
    return {
      within: async (ms, queue) => {
        if (told !== undefined) return told;
        let timer: Timer | undefined;
        const begins = await new Promise<boolean>((resolve) => {
          waiter.begin = () => resolve(true);
          waiter.ask = queue.onEmpty = () => resolve(false);
          timer = this.#instance.time.after(ms, () => resolve(false), { ref: true });
        });
        queue.onEmpty = undefined;
        timer?.clear();
        return begins;
      },
    };
  }

  /** Hears of grants from now on. Until it does, and where that fails, one asks. */
  #listen(): void {
    const { session } = this.#instance;
    if (this.#listening !== "no" || !session.signals) return;
    this.#listening = "starting";
    this.#instance
      .subscribe({ grants: true }, (signal) => {
        if (signal.type === "granted") this.#waiting.get(signal.owner)?.begin();
        else if (signal.type === "gap") for (const { ask } of this.#waiting.values()) ask();
      })
      .then(
        (unsubscribe) => {
          this.#listening = "live";
          this.#unsubscribe = unsubscribe;
          // What was granted before may have been missed.
          for (const { ask } of this.#waiting.values()) ask();
        },
        (error: unknown) => {
          this.#listening = "no";
          this.#instance.events.emit("error", { what: "listen for turns", error });
        },
      );
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#instance.time.after(ms, resolve, { ref: true }));
  }

  async #release(lock: Key, owner: string): Promise<void> {
    try {
      await this.#instance.execute({ ops: [{ op: "release", lock, owner }] }, this.#instance.ownCall());
    } catch (error) {
      // Nobody waits for this: it ends with its ttl.
      this.#instance.events.emit("error", { what: "pass a turn on", error });
    }
  }
}

/** When to ask again, if nothing is told: once whoever has the turn must have ended. */
function waitMs({ holders }: LockState, push: boolean): number {
  const ends = holders.reduce((least, { remainingMs }) => Math.min(least, remainingMs), Infinity);
  return Math.min(ends, push ? askMs.told : askMs.untold);
}
