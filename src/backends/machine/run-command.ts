import { reapSessions } from "../common/lock-rules.ts";
import type { Outcome, Result } from "../../port/index.ts";
import { step, type Command } from "./commands.ts";
import { tagOf, wasOver } from "../../base/process-tag.ts";
import { head } from "./log.ts";
import { metaKeys, readMeta, writeMeta } from "./meta.ts";
import type { Meta } from "./tables.ts";
import { peerOf, wiredKey, type Transaction } from "./transaction.ts";

/** For how long a process that has swept is the one to go on. */
const turnMs = 10_000;

/** Runs a command; its result is a number or a truth, as the command says. */
export function runCommand(tx: Transaction, command: Command, self: string): Outcome {
  return { ok: true, results: [resultOf(tx, command, self) as Result] };
}

function resultOf(tx: Transaction, command: Command, self: string): unknown {
  const { meta } = tx.tables;
  switch (command.do) {
    case "watch": {
      const key = metaKeys.watch(self, command.what);
      if (command.on) writeMeta(meta, key, 1);
      else meta.remove(key);
      tx.watchesChanged();
      // The position as of now: what this transaction tells comes behind it.
      return head(meta);
    }
    case "publish":
      tx.publish(command.topic, command.body);
      return true;
    case "bury":
      return bury(tx, command.peer, command.peer === self);
    case "enter":
      writeMeta(meta, metaKeys.peer(command.peer.id), command.peer);
      return true;
    case "pass":
      for (const lock of command.locks) tx.settle(lock);
      return true;
    case "sweep":
      return sweep(tx, self, command.most);
  }
}

/**
 * Removes a step of what process `peer` left; whether there is more. Its places only if it says so itself or is
 * surely no more: else they end with their claims.
 */
function bury(tx: Transaction, peer: string, itself: boolean): boolean {
  const { meta } = tx.tables;
  const waits = itself || wasOver(tagOf(peer), tx.now) ? meta.suffixes(metaKeys.waits(peer), step) : [];
  for (const text of waits) {
    const lock = tx.settle(text);
    reapSessions(lock, (session) => peerOf(session) === peer);
    tx.saveLock(wiredKey(text), lock);
    meta.remove(metaKeys.waits(peer) + text);
  }
  if (waits.length === step) return true;
  const watched = `${metaKeys.watching}${peer}\n`;
  const watches = meta.suffixes(watched, step);
  for (const what of watches) meta.remove(watched + what);
  if (watches.length > 0) tx.watchesChanged();
  if (watches.length === step) return true;
  meta.remove(metaKeys.peer(peer));
  return false;
}

/** Which process sweeps, until when by the lease clock. */
interface Turn {
  readonly epoch: number;
  readonly peer: string;
  readonly until: number;
}

/** Whether another process sweeps. */
export function othersSweep(meta: Meta, self: string, epoch: number, now: number): boolean {
  const turn = readMeta<Turn>(meta, metaKeys.sweeper);
  return turn !== undefined && turn.peer !== self && turn.epoch === epoch && turn.until > now;
}

/** Removes a step of what has expired; whether there is more for this process to do now. */
function sweep(tx: Transaction, self: string, most: number): boolean {
  const { meta } = tx.tables;
  if (othersSweep(meta, self, tx.epoch, tx.now)) return false;
  const swept = tx.tables.sweep(tx.wall, most, {
    record: (id) => tx.changedBare(id),
    lock(id, at) {
      const lock = tx.settle(id);
      if (lock.stored && Math.ceil(lock.sweepAt) === at) tx.sweepLock(wiredKey(id), lock);
    },
  });
  if (swept === 0) return false;
  const next: Turn = { epoch: tx.epoch, peer: self, until: tx.now + turnMs };
  writeMeta(meta, metaKeys.sweeper, next);
  return swept === most;
}
