import { parentPort, workerData } from "node:worker_threads";
import type { Outcome } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { bootId, sameBoot } from "./clock.ts";
import type { Command, WiredError, WiredFailure, WorkerMessage, WorkerRequest, WorkerStart } from "./commands.ts";
import { loadDriver, type LmdbModule } from "./driver.ts";
import { closeWritable, openWritable, transact, type WritableTables } from "./tables.ts";
import { Gate } from "./gate.ts";
import { metaKeys, readMeta, writeMeta } from "./meta.ts";
import { runCommand } from "./run-command.ts";
import { Transaction, WatchCache } from "./transaction.ts";
import { BatchReader, code, firstBytes, keptBytes, type WiredKey } from "./wire.ts";

/*
 * The commit thread: every write of the process goes through it, one batch at a time, so that the event loop waits
 * neither for a disk nor for another process.
 */
const start = workerData as WorkerStart;
const gate = new Gate(start.gate);
const watches = new WatchCache();

/** What became of a batch: outcomes worth telling, by group, and whom to wake. */
interface Batch {
  readonly outcomes: unknown[];
  readonly ping: Set<string>;
  readonly passing: (string | number)[];
}

interface Failure {
  readonly error: unknown;
  /** It may have become visible nonetheless. */
  readonly sent: boolean;
}

/** Runs a batch as one transaction; where that throws, each group as its own, so that one spoils no other. */
function run(tables: WritableTables, epoch: number, read: BatchReader): Batch {
  const batch: Batch = { outcomes: [], ping: new Set(), passing: [] };
  const starts = read.starts();
  const all = starts.map((_, i) => i).filter((i) => (starts[i] as number) >= 0);
  const failed = attempt(tables, epoch, read, starts, all, batch);
  if (!failed) return batch;
  for (const i of all) {
    const alone = all.length === 1 || failed.sent ? failed : attempt(tables, epoch, read, starts, [i], batch);
    if (alone) batch.outcomes.push(i, failure(alone));
  }
  return batch;
}

/** Runs some groups of a batch as one transaction. When it fails, nothing of it is in `batch`. */
function attempt(
  tables: WritableTables,
  epoch: number,
  read: BatchReader,
  starts: readonly number[],
  groups: readonly number[],
  batch: Batch,
): Failure | undefined {
  const outcomes: unknown[] = [];
  let ping: readonly string[] = [];
  let passing: readonly (string | number)[] = [];
  let number = -1;
  let complete = false;
  try {
    transact(tables, () => {
      const sizeOf = ({ bytes }: WiredKey): number =>
        tables.records.getBinaryFast(bytes) ? tables.records.lastSize : 0;
      const load = read.load(
        groups.map((i) => starts[i] as number),
        sizeOf,
      );
      tables.reserve.ensure(load);
      const tx = new Transaction(tables, epoch, watches);
      for (const i of groups) {
        const outcome = runGroup(tx, read, starts[i] as number);
        if (outcome) outcomes.push(i, outcome);
      }
      ping = tx.finish();
      passing = tx.passing;
      number = tables.root.getWriteTxnId();
      complete = true;
    });
  } catch (error) {
    watches.forget();
    return { error, sent: complete && !undone(tables, number) };
  }
  batch.outcomes.push(...outcomes);
  batch.passing.push(...passing);
  for (const peer of ping) batch.ping.add(peer);
  return undefined;
}

/** What became of a group; `undefined` is "ok, and no result to tell", by far the most frequent outcome. */
function runGroup(tx: Transaction, read: BatchReader, at: number): Outcome | undefined {
  const { guards, ops, code: first } = read.open(at);
  if (first === code.command && guards === 0) return runCommand(tx, read.command() as Command, start.peer.id);
  const group = read.group({ guards, ops });
  const outcome = decide(tx, group, group.session);
  return outcome.ok && outcome.results.every((result) => result === undefined) ? undefined : outcome;
}

/**
 * Whether the transaction of that number, whose commit failed, surely never became visible: its number is free again.
 */
function undone(tables: WritableTables, number: number): boolean {
  let next = 0;
  try {
    transact(tables, () => {
      next = tables.root.getWriteTxnId();
    });
  } catch {
    return false; // not known
  }
  return next === number;
}

function failure({ error, sent }: Failure): WiredFailure {
  return { ok: false, why: "failed", sent, error: wired(error) };
}

function wired(error: unknown): WiredError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return { name, message, code: (error as { code?: string | number }).code };
}

interface Boot {
  readonly id: string;
  readonly epoch: number;
}

/** Registers this process, and counts the boots: leases of an earlier epoch are over. */
function enter(tables: WritableTables): number {
  const id = bootId();
  let epoch = 0;
  transact(tables, () => {
    tables.reserve.ensure({ ops: 2, bytes: 0, values: false });
    const boot = readMeta<Boot>(tables.meta, metaKeys.boot);
    epoch = boot && sameBoot(boot.id, id) ? boot.epoch : (boot?.epoch ?? 0) + 1;
    if (epoch !== boot?.epoch) writeMeta(tables.meta, metaKeys.boot, { id, epoch } satisfies Boot);
    writeMeta(tables.meta, metaKeys.peer(start.peer.id), start.peer);
  });
  return epoch;
}

/**
 * The batch's bytes, in memory of our own: the driver takes addresses of that only, and what is written is altered on
 * the way.
 */
let own = Buffer.alloc(0);
const memories: Uint8Array[] = [];

function receive([slot, length, memory]: Exclude<WorkerRequest, "close">): Buffer {
  if (memory) memories[slot] = new Uint8Array(memory);
  if (own.length < length || own.length > keptBytes) own = Buffer.from(new ArrayBuffer(Math.max(length, firstBytes)));
  own.set((memories[slot] as Uint8Array).subarray(0, length));
  return own.subarray(0, length);
}

function send(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/** Does what begins transactions, unless the process is about to end. */
function guarded(body: () => void): void {
  if (!gate.enter()) return;
  try {
    body();
  } finally {
    gate.leave();
  }
}

async function main(): Promise<void> {
  const driver = await loadDriver();
  guarded(() => serve(driver));
  // While it waits here the thread cannot end, so the environment that the main thread opens is surely the one of
  // this thread.
  Atomics.wait(new Int32Array(start.shared), 0, 0);
}

function serve(driver: LmdbModule): void {
  const tables = openWritable(driver, start.files, start.mapSize);
  const epoch = enter(tables);
  parentPort?.on("message", (request: WorkerRequest) => {
    if (request === "close") {
      parentPort?.close();
      void closeWritable(tables);
      return;
    }
    guarded(() => {
      const { outcomes, ping, passing } = run(tables, epoch, new BatchReader(receive(request)));
      if (outcomes.length + ping.size + passing.length === 0) send(null);
      else send({ type: "done", outcomes, ping: [...ping], passing });
    });
  });
  send({ type: "ready", epoch });
}

main().catch((error: unknown) => send({ type: "refused", error: wired(error) }));
