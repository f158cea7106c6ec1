import type { Time, Timer } from "../../base/time.ts";
import { leaseNow } from "./clock.ts";
import type { Command } from "./commands.ts";
import { due } from "./expiry-index.ts";
import { othersSweep } from "./run-command.ts";
import type { Tables } from "./tables.ts";

/** How often expired records are looked for, and how soon where somebody watches, in ms. */
const sweepEvery = 1_000;
const sweepSoon = 100;
/** Between two steps of a long sweep. */
const breath = 20;

interface SweeperOptions {
  readonly time: Time;
  /** This process's id. */
  readonly self: string;
  /** The tables and the epoch, while they are open. */
  open(): { readonly tables: Tables; readonly epoch: number } | undefined;
  /** Whether somebody watches records. */
  watching(): boolean;
  command(command: Command): Promise<unknown>;
}

/** Has what has expired removed, a step at a time, unless another process does. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: Timer | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Begins, or goes on; until {@link stop}. */
  start(): void {
    this.#plan(this.#options.watching() ? sweepSoon : sweepEvery);
  }

  stop(): void {
    this.#timer?.clear();
  }

  #plan(ms: number): void {
    this.#timer?.clear();
    this.#timer = this.#options.time.after(ms, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    const { self, open, command } = this.#options;
    let more = false;
    try {
      const found = open();
      if (!found) return;
      const { tables, epoch } = found;
      tables.root.resetReadTxn();
      const wanted = due(tables.expiry, Date.now(), 1).length > 0 && !othersSweep(tables.meta, self, epoch, leaseNow());
      tables.root.resetReadTxn();
      if (wanted) more = (await command({ do: "sweep" })) === true;
    } catch {
      return; // the next one is planned all the same
    } finally {
      if (more) this.#plan(breath);
      else if (open()) this.start();
    }
  }
}
