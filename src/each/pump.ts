import type { Item } from "./item.ts";

/** How long items are started before the event loop goes on, in ms: renewals and replies wait that long. */
const longestSpell = 8;
/** Items of one lane before the next one's: enough to stay with its records, few enough to be fair. */
const inARow = 64;

/** Where items come from. */
export interface PumpSource {
  /** Whether {@link startNext} has an item to start. */
  offer(): boolean;
  startNext(): void;
  /** Whether an item of it is still to be handled. */
  wants(item: Item): boolean;
  start(item: Item): void;
}

/** Starts items, as many at a time as are allowed, fairly from all lanes, and lets the event loop breathe. */
export class Pump {
  readonly #sources: ReadonlyMap<number, PumpSource>;
  readonly #concurrency: number;
  readonly #idle: () => void;
  readonly #alone: { readonly source: PumpSource; readonly item: Item }[] = [];
  #running = 0;
  /** Whose items come next. */
  #next = 0;
  #due = false;
  #begun = 0;
  #stopped = false;
  /** How many want that nothing is started. */
  #paused = 0;

  /** `idle` is called when nothing more can be started. */
  constructor(sources: ReadonlyMap<number, PumpSource>, concurrency: number, idle: () => void) {
    this.#sources = sources;
    this.#concurrency = concurrency;
    this.#idle = idle;
  }

  /** Handlers that run. */
  get running(): number {
    return this.#running;
  }

  started(): void {
    this.#running++;
  }

  ended(): void {
    this.#running--;
  }

  /** Starts an item when no other runs. */
  runAlone(source: PumpSource, item: Item): void {
    this.#alone.push({ source, item });
  }

  /** Takes back what was to run alone. */
  dropAlone(source: PumpSource): void {
    const others = this.#alone.filter((waiting) => waiting.source !== source);
    this.#alone.splice(0, this.#alone.length, ...others);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Starts nothing until the function that it gives is called, once. Whatever runs goes on. */
  pause(): () => void {
    this.#paused++;
    return () => {
      this.#paused--;
      this.poke();
    };
  }

  /**
   * Something may be possible that was not: runs after the present callback, or after the event loop where that has
   * waited.
   */
  poke(): void {
    if (this.#due || this.#stopped) return;
    this.#due = true;
    if (performance.now() - this.#begun < longestSpell) queueMicrotask(this.#run);
    else setImmediate(this.#runAnew);
  }

  readonly #runAnew = (): void => {
    this.#begun = performance.now();
    this.#run();
  };

  readonly #run = (): void => {
    this.#due = false;
    if (this.#stopped || this.#paused > 0) return;
    // A handler that returns at once pokes for each item: that is this very loop.
    this.#due = true;
    const complete = this.#startItems();
    this.#due = !complete;
    if (complete) this.#idle();
    else setImmediate(this.#runAnew);
  };

  /** False if there is more, but the event loop has waited long enough. */
  #startItems(): boolean {
    for (let progress = true; progress;) {
      progress = false;
      if (this.#alone.length > 0) {
        if (this.#running > 0) return true;
        const { source, item } = this.#alone.shift() as { source: PumpSource; item: Item };
        if (source.wants(item)) source.start(item);
        progress = true;
        continue;
      }
      const sources = [...this.#sources.values()];
      for (let i = 0; i < sources.length && this.#running < this.#concurrency; i++) {
        const source = sources[this.#next++ % sources.length] as PumpSource;
        const room = (): boolean => this.#running < this.#concurrency && this.#alone.length === 0;
        for (let n = 0; n < inARow && room() && source.offer(); n++) {
          source.startNext();
          progress = true;
        }
        if (performance.now() - this.#begun > longestSpell) return false;
      }
    }
    return true;
  }
}
