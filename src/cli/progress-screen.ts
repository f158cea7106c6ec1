import type { WriteStream } from "node:tty";

import type { EachEvent, EachProgress } from "../entries/each.ts";
import { count, seconds } from "./words.ts";

/** How often a line of progress is written where there is no terminal, in ms. */
const lineEvery = 5_000;
const barWidth = 24;

/** Shows a run's progress: one line that is redrawn on a terminal, a line now and then elsewhere. */
export class ProgressScreen {
  readonly #out: WriteStream;
  readonly #quiet: boolean;
  readonly #started = performance.now();
  #first: number | undefined;
  #lastLine = performance.now();
  #drawn = false;

  constructor(out: WriteStream, quiet: boolean) {
    this.#out = out;
    this.#quiet = quiet;
  }

  /** Shows an event, if it is of interest. */
  show(event: EachEvent): void {
    switch (event.type) {
      case "progress":
        return this.#progress(event.progress);
      case "exited":
        if (event.how !== "finished") this.say(`worker ${event.worker} ended: ${event.how}`);
        return;
      case "dead": {
        const key = event.key === undefined ? "" : ` (key ${JSON.stringify(event.key)})`;
        return this.say(`item ${event.id}${key} failed for good: ${event.error}`);
      }
      case "away":
        return this.say(`the store is away, waiting: ${event.error}`);
      case "back":
        return this.say("the store is back");
      default:
    }
  }

  /** Writes a line. */
  say(text: string): void {
    if (this.#quiet) return;
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  /** Leaves the terminal as it was. */
  end(): void {
    this.#clear();
  }

  #progress(progress: EachProgress): void {
    if (this.#quiet) return;
    const now = performance.now();
    this.#first ??= progress.processed;
    const elapsed = now - this.#started;
    const rate = Math.round(((progress.processed - this.#first) / Math.max(elapsed, 1)) * 1000).toLocaleString("en");
    const part = `${Math.floor(progress.part * 100)}%`;
    const words = [
      count(progress.processed, "item"),
      `${rate}/s`,
      progress.dead > 0 ? count(progress.dead, "dead letter") : "",
      progress.waiting > 0 ? `${progress.waiting.toLocaleString("en")} waiting` : "",
      seconds(elapsed),
    ].filter((word) => word !== "");
    if (this.#out.isTTY) {
      const full = Math.round(progress.part * barWidth);
      const line = `${"█".repeat(full)}${"░".repeat(barWidth - full)} ${part.padStart(4)}  ${words.join("  ")}`;
      this.#out.write(`\r\u001B[2K${line.slice(0, Math.max(this.#out.columns - 1, 20))}`);
      this.#drawn = true;
    } else if (now - this.#lastLine >= lineEvery) {
      this.#lastLine = now;
      this.#out.write(`${part} ${words.join(", ")}\n`);
    }
  }

  #clear(): void {
    if (this.#drawn) this.#out.write("\r\u001B[2K");
    this.#drawn = false;
  }
}
