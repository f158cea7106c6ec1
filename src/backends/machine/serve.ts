import { parentPort, workerData } from "node:worker_threads";
import type { Outcome } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { bootId, sameBoot } from "./clock.ts";
import type { Command, Done, ThreadStart, WiredError, WiredFailure, WorkerMessage, WorkerRequest } from "./commands.ts";
import { metaKeys, readMeta, WatchCache, writeMeta } from "./meta.ts";
import { runCommand } from "./run-command.ts";
import type { WritableTables } from "./tables.ts";
import { Transaction } from "./transaction.ts";
import { BatchReader, firstBytes, keptBytes, type Load, type Placed, type WiredKey } from "./wire.ts";

/*
 * The commit thread: every write of the process goes through it, one batch at a time, so that the event loop waits
 * neither for a disk nor for another process.
 */

/** What the commit thread writes to. */
export interface Store {
  readonly tables: WritableTables;
  /** The id of the data. */
  readonly domain: string;
  /**
   * Runs `body`, which is synchronous, as one transaction that is durable before it is visible; nothing of it stays
   * when it throws.
   */
  commit<T>(work: Work, body: () => T): Committed<T>;
  /** Does what can wait until callers were answered. */
  tend?(): void;
  close(): void;
}

/** What a transaction is about. */
export interface Work {
  /** How much it is about to write, given the sizes of the records that are touched. */
  load(sizeOf: (key: WiredKey) => number): Load;
  /** Whether anybody still waits for it: asked while it waits for other processes, and need not begin. */
  isWanted(): boolean;
}

export type Committed<T> = { readonly result: T } | Failure;

/** Why a transaction failed. */
export interface Failure {
  readonly error: unknown;
  /** It may have become visible nonetheless. */
  readonly sent: boolean;
}

const { peer } = workerData as ThreadStart;
const watches = new WatchCache();

/** What the backend gave its thread. */
export function threadData(): unknown {
  return (workerData as ThreadStart).data;
}

/**
 * Serves the main thread until it is told to close. `open` opens the data. What writes runs in `guarded`, which may
 * refuse to run it since the process is about to end.
 */
export function serve(open: () => Store, guarded: (body: () => void) => void = (body) => body()): void {
  guarded(() => {
    const store = open();
    const epoch = enter(store);
    parentPort?.on("message", (request: WorkerRequest) => {
      if (request === "close") {
        parentPort?.close();
        store.close();
        return;
      }
      guarded(() => {
        const done = run(store, epoch, receive(request));
        send(done.outcomes.length + done.ping.length + done.passing.length === 0 ? null : done);
        store.tend?.();
      });
    });
    send({ type: "ready", epoch, domain: store.domain });
  });
}

/** The data could not be opened. */
export function refuse(error: unknown): void {
  send({ type: "refused", error: wired(error) });
}

/** Runs a batch as one transaction; where that throws, each group as its own, so that one spoils no other. */
function run(store: Store, epoch: number, read: BatchReader): Done {
  const groups = read.groups();
  const together = attempt(store, epoch, read, groups);
  if ("result" in together) return together.result;
  const parts = groups.map((group): Done => {
    const alone = groups.length === 1 || together.sent ? together : attempt(store, epoch, read, [group]);
    if ("result" in alone) return alone.result;
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
function attempt(store: Store, epoch: number, read: BatchReader, groups: readonly Placed[]): Committed<Done> {
  const committed = store.commit(
    { load: (sizeOf) => read.load(groups, sizeOf), isWanted: () => read.isWanted(groups) },
    (): Done => {
      const tx = new Transaction(store.tables, epoch, watches);
      const outcomes: unknown[] = [];
      for (const { index, at } of groups) {
        if (!read.take(at)) continue;
        const outcome = runGroup(tx, read, at);
        if (outcome) outcomes.push(index, outcome);
      }
      return { type: "done", outcomes, ping: tx.finish(), passing: tx.passing };
    },
  );
  if (!("result" in committed)) watches.forget();
  return committed;
}

/** What became of a group; `undefined` is "ok, and no result to tell", by far the most frequent outcome. */
function runGroup(tx: Transaction, read: BatchReader, at: number): Outcome | undefined {
  const command = read.command(at);
  if (command !== undefined) return runCommand(tx, command as Command, peer.id);
  const group = read.group(at);
  const outcome = decide(tx, group, group.session);
  return outcome.ok && outcome.results.every((result) => result === undefined) ? undefined : outcome;
}

function failure({ error, sent }: Failure): WiredFailure {
  return { ok: false, why: "failed", sent, error: wired(error) };
}

function wired(error: unknown): WiredError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return { name, message, code: (error as { code?: string | number }).code };
}

/** How long a process that enters waits for others, in ms. */
const enterTimeout = 5_000;

interface Boot {
  readonly id: string;
  readonly epoch: number;
}

/** Registers this process, and counts the boots: leases of an earlier epoch are over. */
function enter(store: Store): number {
  const id = bootId();
  const { meta } = store.tables;
  const until = performance.now() + enterTimeout;
  const entered = store.commit(
    { load: () => ({ ops: 2, bytes: 0, values: false }), isWanted: () => performance.now() < until },
    () => {
      const boot = readMeta<Boot>(meta, metaKeys.boot);
      const epoch = boot && sameBoot(boot.id, id) ? boot.epoch : (boot?.epoch ?? 0) + 1;
      if (epoch !== boot?.epoch) writeMeta(meta, metaKeys.boot, { id, epoch } satisfies Boot);
      writeMeta(meta, metaKeys.peer(peer.id), peer);
      return epoch;
    },
  );
  if ("result" in entered) return entered.result;
  throw entered.error;
}

/**
 * The batch's bytes, in memory of our own: a driver takes addresses of that only, and what is written is altered on the
 * way.
 */
let own = Buffer.alloc(0);
const memories: Uint8Array[] = [];

function receive([slot, length, memory]: Exclude<WorkerRequest, "close">): BatchReader {
  if (memory) memories[slot] = new Uint8Array(memory);
  const shared = memories[slot] as Uint8Array;
  if (own.length < length || own.length > keptBytes) own = Buffer.from(new ArrayBuffer(Math.max(length, firstBytes)));
  own.set(shared.subarray(0, length));
  return new BatchReader(own.subarray(0, length), shared);
}

function send(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}
