import type { WriteStream } from "node:tty";

import type { EachEvent, EachProgress, EachSummary } from "../../entries/each.ts";
import { count, seconds } from "../words.ts";
import type { Audit } from "./audit.ts";
import type { DrillEvent } from "./drill.ts";
import { paintFor, type Paint } from "./paint.ts";
import { drillLine, eventLine, gatheredLine, type Gathered } from "./lines.ts";

/** What a demo is about to show. */
export interface DemoBegin {
  readonly orders: number;
  readonly processes: number;
  readonly seed: number;
  readonly store: string | undefined;
}

/** Where a demo is shown. */
export interface DemoOutput {
  begin(begin: DemoBegin): void;
  event(event: EachEvent): void;
  drill(event: DrillEvent): void;
  say(text: string): void;
  failed(message: string): void;
  result(summary: EachSummary, audit: Audit, shown: boolean): void;
  end(): void;
}

const barWidth = 30;
/** How long events of one kind are gathered into a line, in ms. */
const gathering = 150;

interface Row {
  pid: number;
  state: string;
  processed: number;
  held: readonly number[];
  running: number;
}

/** For people: a table that is redrawn below the lines on a terminal, the lines alone elsewhere. */
export class DemoScreen implements DemoOutput {
  readonly #out: WriteStream;
  readonly #partitions: number;
  readonly #paint: Paint;
  readonly #started = performance.now();
  readonly #rows = new Map<number, Row>();
  readonly #gathered = new Map<
    string,
    { readonly type: Gathered; readonly worker: number; readonly partitions: number[] }
  >();
  readonly #finished = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #begin: DemoBegin | undefined;
  #progress: EachProgress | undefined;
  #drawn = 0;

  constructor(out: WriteStream, partitions: number) {
    this.#out = out;
    this.#partitions = partitions;
    this.#paint = paintFor(out);
  }

  begin(begin: DemoBegin): void {
    this.#begin = begin;
    const where = begin.store === undefined ? "an embedded store" : "the given store";
    this.#line(
      this.#paint.bold(`${count(begin.orders, "order")}, ${begin.processes} workers, ${where}, seed ${begin.seed}`),
    );
    this.#line("One worker will be killed, one will be paused past its lease. The books must balance all the same.");
    this.#line("");
  }

  event(event: EachEvent): void {
    if (event.type === "progress") return this.#onProgress(event.progress);
    if (event.type === "finished") this.#finished.add(event.partition);
    // One that is finished is given up too, which is no news.
    if (event.type === "given" && this.#finished.has(event.partition)) return;
    if (event.type === "taken" || event.type === "given" || event.type === "lost") return this.#gather(event);
    const row = this.#row(event.worker);
    if (event.type === "started") Object.assign(row, { pid: event.pid, state: "working", held: [] });
    if (event.type === "exited")
      Object.assign(row, { state: event.how === "finished" ? "done" : "dead", held: [], running: 0 });
    if (event.type === "fenced") row.state = "fenced";
    const line = eventLine(event, this.#paint);
    if (line !== undefined) this.#stamped(line);
  }

  drill(event: DrillEvent): void {
    this.#row(event.worker).state = event.type === "resumed" ? "working" : event.type;
    this.#stamped(drillLine(event, this.#paint));
  }

  say(text: string): void {
    this.#stamped(text);
  }

  failed(message: string): void {
    this.#line(`holdfast: ${message}`);
  }

  result(summary: EachSummary, audit: Audit, shown: boolean): void {
    this.#flush();
    this.#erase();
    this.#drawn = 0;
    const { bold, green, red } = this.#paint;
    const mark = (right: boolean): string => (right ? green("✔") : red("✘"));
    this.#line("");
    this.#line(bold("Audit"));
    const check = (right: boolean, text: string): void => this.#line(`  ${mark(right)} ${text}`);
    const { missing, doubled, settledOnce, orders, accounts, wrongAccounts, total, expectedTotal } = audit;
    check(
      missing + doubled === 0,
      `${count(settledOnce, "order")} of ${orders.toLocaleString("en")} settled exactly once ` +
        `(${missing} missing, ${doubled} doubled)`,
    );
    check(
      wrongAccounts === 0,
      `${count(accounts, "account")}: balances and order of bookings as of a serial run (${wrongAccounts} differ)`,
    );
    check(total === expectedTotal, `sum of all balances ${money(total)}, expected ${money(expectedTotal)}`);
    const { fenced, restarts } = summary;
    check(fenced > 0, `${count(fenced, "late settlement")} of a worker that had lost its lease refused`);
    check(restarts > 0, `${count(restarts, "worker")} killed and started again`);
    const verdict =
      audit.differences === 0 ? green(bold("0 differences")) : red(bold(count(audit.differences, "difference")));
    this.#line(`${verdict} in ${seconds(performance.now() - this.#started)}`);
    if (!shown) this.#line("The kill or the pause came to nothing this time: try again with more --orders.");
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#erase();
    this.#drawn = 0;
  }

  #row(worker: number): Row {
    let row = this.#rows.get(worker);
    if (!row) this.#rows.set(worker, (row = { pid: 0, state: "working", processed: 0, held: [], running: 0 }));
    return row;
  }

  #onProgress(progress: EachProgress): void {
    this.#progress = progress;
    for (const row of this.#rows.values()) row.processed = 0;
    for (const { worker, pid, processed, partitions, running } of progress.workers) {
      const row = this.#row(worker);
      row.processed += processed;
      if (pid !== row.pid) continue;
      if (row.state === "fenced" && partitions.length > 0) row.state = "working";
      if (row.state === "working" || row.state === "paused") Object.assign(row, { held: partitions, running });
    }
    this.#draw();
  }

  #gather({
    type,
    worker,
    partition,
  }: {
    readonly type: Gathered;
    readonly worker: number;
    readonly partition: number;
  }): void {
    const id = `${type} ${worker}`;
    const known = this.#gathered.get(id);
    if (known) known.partitions.push(partition);
    else this.#gathered.set(id, { type, worker, partitions: [partition] });
    this.#timer ??= setTimeout(() => this.#flush(), gathering);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const groups = [...this.#gathered.values()];
    this.#gathered.clear();
    for (const { type, worker, partitions } of groups)
      this.#stamped(gatheredLine(type, worker, partitions, this.#paint));
  }

  #stamped(text: string): void {
    if (this.#gathered.size > 0) this.#flush();
    const at = ((performance.now() - this.#started) / 1000).toFixed(1).padStart(5);
    this.#line(`${this.#paint.dim(`${at} s`)}  ${text}`);
  }

  #line(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
    this.#drawn = 0;
    this.#draw();
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001B[${this.#drawn}A\u001B[0J`);
  }

  #draw(): void {
    if (!this.#out.isTTY || !this.#progress || !this.#begin) return;
    const { bold, dim, state } = this.#paint;
    const part = Math.min(this.#progress.processed / this.#begin.orders, 1);
    const full = Math.round(part * barWidth);
    const lines = [
      "",
      dim("  worker  pid       state     partitions".padEnd(30 + this.#partitions * 3) + "  running  settled"),
    ];
    for (const [worker, { pid, state: name, held, running, processed }] of [...this.#rows].sort(([a], [b]) => a - b)) {
      const cells = Array.from({ length: this.#partitions }, (_, i) =>
        held.includes(i) ? String(i).padStart(2) : dim(" ·"),
      ).join(" ");
      const who = [bold(String(worker).padEnd(6)), String(pid).padEnd(8), state(name, name.padEnd(8))];
      const counts = [String(running).padStart(7), String(processed).padStart(7)];
      lines.push(`  ${[...who, cells, ...counts].join("  ")}`);
    }
    const bar = "█".repeat(full) + dim("░".repeat(barWidth - full));
    const settled = `${count(this.#progress.processed, "order")} settled`;
    lines.push("", `  ${bar} ${Math.floor(part * 100)}%  ${settled}`);
    this.#erase();
    this.#out.write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}

function money(cents: number): string {
  return (cents / 100).toLocaleString("en", { minimumFractionDigits: 2 });
}
