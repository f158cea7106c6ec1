import { parentPort, workerData } from "node:worker_threads";
import type { Outcome } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { bootId, sameBoot } from "./clock.ts";
import type { Command, Done, WiredError, WiredFailure, WorkerMessage, WorkerRequest, WorkerStart } from "./commands.ts";
import { loadDriver, type LmdbModule } from "./driver.ts";
import { closeWritable, openWritable, transact, type WritableTables } from "./tables.ts";
import { Gate } from "./gate.ts";
import { metaKeys, readMeta, writeMeta } from "./meta.ts";
import { runCommand } from "./run-command.ts";
import { Transaction, WatchCache } from "./transaction.ts";
import { BatchReader, firstBytes, keptBytes, type Placed, type WiredKey } from "./wire.ts";

/*
 * The commit thread: every write of the process goes through it, one batch at a time, so that the event loop waits
 * neither for a disk nor for another process.
 */
const start = workerData as WorkerStart;
const gate = new Gate(start.gate);
const watches = new WatchCache();

interface Failure {
  readonly error: unknown;
  /** It may have become visible nonetheless. */
  readonly sent: boolean;
}

/** Runs a batch as one transaction; where that throws, each group as its own, so that one spoils no other. */
function run(tables: WritableTables, epoch: number, read: BatchReader): Done {
  const groups = read.groups();
  const together = attempt(tables, epoch, read, groups);
  if ("type" in together) return together;
  const parts = groups.map((group): Done => {
    const alone = groups.length === 1 || together.sent ? together : attempt(tables, epoch, read, [group]);
    if ("type" in alone) return alone;
    return { type: "done", outcomes: [group.index, failure(alone)], ping: [], passing: [] };
  });
  return {
    type: "done",
    outcomes: parts.flatMap(({ outcomes }) => outcomes),
    ping: [...new Set(parts.flatMap(({ ping }) => ping))],
    passing: parts.flatMap(({ passing }) => passing),
  };
}

/** Runs some groups of a batch as one transaction. */
function attempt(tables: WritableTables, epoch: number, read: BatchReader, groups: readonly Placed[]): Done | Failure {
  /** Of the transaction, once all is done but the commit. */
  let number = -1;
  try {
    return transact(tables, () => {
      const sizeOf = ({ bytes }: WiredKey): number =>
        tables.records.getBinaryFast(bytes) ? tables.records.lastSize : 0;
      tables.reserve.ensure(read.load(groups, sizeOf));
      const tx = new Transaction(tables, epoch, watches);
      const outcomes: unknown[] = [];
      for (const { index, at } of groups) {
        const outcome = runGroup(tx, read, at);
        if (outcome) outcomes.push(index, outcome);
      }
      const ping = tx.finish();
      number = tables.root.getWriteTxnId();
      return { type: "done", outcomes, ping, passing: tx.passing };
    });
  } catch (error) {
    watches.forget();
    return { error, sent: number >= 0 && !undone(tables, number) };
  }
}

/** What became of a group; `undefined` is "ok, and no result to tell", by far the most frequent outcome. */
function runGroup(tx: Transaction, read: BatchReader, at: number): Outcome | undefined {
  const command = read.command(at);
  if (command !== undefined) return runCommand(tx, command as Command, start.peer.id);
  const group = read.group(at);
  const outcome = decide(tx, group, group.session);
  return outcome.ok && outcome.results.every((result) => result === undefined) ? undefined : outcome;
}

/**
 * Whether the transaction of that number, whose commit failed, surely never became visible: its number is free again.
 */
function undone(tables: WritableTables, number: number): boolean {
  try {
    return transact(tables, () => tables.root.getWriteTxnId()) === number;
  } catch {
    return false; // not known
  }
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
  return transact(tables, () => {
    tables.reserve.ensure({ ops: 2, bytes: 0, values: false });
    const boot = readMeta<Boot>(tables.meta, metaKeys.boot);
    const epoch = boot && sameBoot(boot.id, id) ? boot.epoch : (boot?.epoch ?? 0) + 1;
    if (epoch !== boot?.epoch) writeMeta(tables.meta, metaKeys.boot, { id, epoch } satisfies Boot);
    writeMeta(tables.meta, metaKeys.peer(start.peer.id), start.peer);
    return epoch;
  });
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
      const done = run(tables, epoch, new BatchReader(receive(request)));
      send(done.outcomes.length + done.ping.length + done.passing.length === 0 ? null : done);
    });
  });
  send({ type: "ready", epoch });
}

main().catch((error: unknown) => send({ type: "refused", error: wired(error) }));
