import type { WriteStream } from "node:tty";

import type { EachEvent, EachSummary } from "../../entries/each.ts";
import type { Audit } from "./audit.ts";
import type { DrillEvent } from "./drill.ts";
import type { DemoBegin, DemoOutput } from "./screen.ts";

/** Everything that happens, one JSON value a line; the last one is the audit. */
export class JsonOutput implements DemoOutput {
  readonly #out: WriteStream;
  readonly #started = performance.now();

  constructor(out: WriteStream) {
    this.#out = out;
  }

  begin(begin: DemoBegin): void {
    this.#write({ type: "begin", ...begin });
  }

  event(event: EachEvent): void {
    this.#write(event);
  }

  drill(event: DrillEvent): void {
    this.#write(event);
  }

  say(text: string): void {
    this.#write({ type: "note", text });
  }

  failed(message: string): void {
    this.#write({ type: "failed", error: message });
  }

  result(summary: EachSummary, audit: Audit, shown: boolean): void {
    this.#write({ type: "audit", ...audit, fenced: summary.fenced, restarts: summary.restarts, shown, summary });
  }

  end(): void {
    // Nothing was drawn.
  }

  #write(value: object): void {
    this.#out.write(`${JSON.stringify({ ms: Math.round(performance.now() - this.#started), ...value })}\n`);
  }
}
