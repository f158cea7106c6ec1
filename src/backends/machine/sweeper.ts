import type { Timer } from "../../base/time.ts";
import { step } from "./commands.ts";
import { othersSweep } from "./run-command.ts";
import { self, type Site } from "./site.ts";

/** How often expired records are looked for, and how soon where somebody watches, in ms. */
const sweepEvery = 1_000;
const sweepSoon = 100;
/** Between two steps of a long sweep. */
const breath = 20;
/** How many entries a step looks at after one that failed: on a full disk there is room for so few. */
const few = 8;

/** Has what has expired removed, a step at a time, unless another process does. */
export class Sweeper {
  readonly #site: Site;
  readonly #watching: () => boolean;
  #timer: Timer | undefined;
  #most = step;

  /** `watching` tells whether somebody watches records. */
  constructor(site: Site, watching: () => boolean) {
    this.#site = site;
    this.#watching = watching;
  }

  /** Begins, or goes on; until {@link stop}. */
  start(): void {
    this.#plan(this.#watching() ? sweepSoon : sweepEvery);
  }

  stop(): void {
    this.#timer?.clear();
  }

  #plan(ms: number): void {
    this.#timer?.clear();
    this.#timer = this.#site.time.after(ms, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    let more = false;
    try {
      const most = this.#site.reads?.snapshot(({ tables, epoch, wall, now }) => {
        return othersSweep(tables.meta, self, epoch, now) ? 0 : tables.due(wall, this.#most);
      });
      if (!most) return;
      more = (await this.#site.command({ do: "sweep", most })) === true;
      this.#most = Math.min(2 * this.#most, step);
    } catch {
      this.#most = few; // the next one is planned all the same
    } finally {
      if (more) this.#plan(breath);
      else if (this.#site.reads) this.start();
    }
  }
}
