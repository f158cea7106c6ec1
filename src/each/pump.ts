import type { Item } from "./item.ts";
import type { Lane } from "./lane.ts";

/** How long items are started in one turn of the event loop, in ms: renewals and replies wait that long. */
const longestTurn = 8;
/** Items of one lane before the next one's: enough to stay with its records, few enough to be fair. */
const inARow = 64;

/** Starts items, as many at a time as are allowed, fairly from all lanes, and lets the event loop breathe. */
export class Pump {
  readonly #lanes: ReadonlyMap<number, Lane>;
  readonly #concurrency: number;
  readonly #idle: () => void;
  readonly #alone: { readonly lane: Lane; readonly item: Item }[] = [];
  #running = 0;
  /** Whose turn it is. */
  #next = 0;
  #due = false;
  #turn = 0;
  #stopped = false;
  #held = false;
  #blocked = false;

  /** `idle` is called when nothing more can be started. */
  constructor(lanes: ReadonlyMap<number, Lane>, concurrency: number, idle: () => void) {
    this.#lanes = lanes;
    this.#concurrency = concurrency;
    this.#idle = idle;
  }

  get running(): number {
    return this.#running;
  }

  started(): void {
    this.#running++;
  }

  ended(): void {
    this.#running--;
  }

  runAlone(lane: Lane, item: Item): void {
    this.#alone.push({ lane, item });
  }

  dropAlone(lane: Lane): void {
    const others = this.#alone.filter((waiting) => waiting.lane !== lane);
    this.#alone.splice(0, this.#alone.length, ...others);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Starts nothing until it is told otherwise. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.poke();
  }

  /** Starts nothing while a suspect waits for its turn or runs. Whatever runs goes on. */
  block(blocked: boolean): void {
    this.#blocked = blocked;
    if (!blocked) this.poke();
  }

  /** Runs soon: at once after the present callback, or in the next turn where this one has lasted long. */
  poke(): void {
    if (this.#due || this.#stopped) return;
    this.#due = true;
    if (performance.now() - this.#turn < longestTurn) queueMicrotask(this.#run);
    else setImmediate(this.#newTurn);
  }

  readonly #newTurn = (): void => {
    this.#turn = performance.now();
    this.#run();
  };

  readonly #run = (): void => {
    this.#due = false;
    if (this.#stopped || this.#held || this.#blocked) return;
    // A handler that returns at once pokes for each item: that is this very loop.
    this.#due = true;
    const complete = this.#startItems();
    this.#due = false;
    if (!complete) {
      this.#due = true;
      setImmediate(this.#newTurn);
    } else this.#idle();
  };

  /** False if there is more, but the turn is over. */
  #startItems(): boolean {
    for (let progress = true; progress;) {
      progress = false;
      if (this.#alone.length > 0) {
        if (this.#running > 0) return true;
        const { lane, item } = this.#alone.shift() as { lane: Lane; item: Item };
        if (lane.wants(item)) lane.start(item);
        progress = true;
        continue;
      }
      const lanes = [...this.#lanes.values()];
      for (let i = 0; i < lanes.length && this.#running < this.#concurrency; i++) {
        const lane = lanes[this.#next++ % lanes.length] as Lane;
        for (
          let n = 0;
          n < inARow && this.#running < this.#concurrency && lane.offer() && this.#alone.length === 0;
          n++
        ) {
          lane.startNext();
          progress = true;
        }
        if (performance.now() - this.#turn > longestTurn) return false;
      }
    }
    return true;
  }
}
