import { createHash } from "node:crypto";

import { utf8Length } from "../base/keys.ts";
import type { Position } from "./progress.ts";

/** The name of the state store that a job's own records are in, and of its lock. */
export function jobStoreName(job: string): string {
  return `holdfast-each ${job}`;
}

/**
 * The store of done marks, which a job has only where its items cannot commit together with its progress: each under
 * the item's own key, so that it is beside the records of that key.
 */
export function marksStoreName(job: string): string {
  return `holdfast-each-done ${job}`;
}

/** The record that says what the job is. */
export const jobKey = "job";

/** The record and the lock of a partition. */
export function partitionKey(partition: number): string {
  return `partition/${partition}`;
}

/** The record that names the workers: to list them would be a search through everything that some stores hold. */
export const membersKey = "members";

/** Where a worker says that it is there, in a record that expires. */
export function memberKey(id: string): string {
  return `member/${id}`;
}

/** Where a process says, in a record that expires, that all it runs are items that it tries alone. */
export function aloneKey(by: string): string {
  return `alone/${by}`;
}

/** A dead letter, as stored. Holds no value of the item: that is in the input. */
export interface DeadLetter {
  readonly id: number;
  readonly offset: number;
  readonly key?: string;
  readonly error: { readonly name: string; readonly message: string };
  readonly attempts: number;
  /** Later items of its key wait: see {@link StoppedKey}. */
  readonly stopped: boolean;
  /** The last round of retries that it has been through. */
  readonly round: number;
}

/** With the tag of the partition's own record and lock, so that a store in several places keeps them in one. */
export function deadPrefix(partition: number): string {
  return `{${partitionKey(partition)}}dead/`;
}

export function deadKey(partition: number, id: number): string {
  return `${deadPrefix(partition)}${id}`;
}

/** Where a key stopped, as stored: its items from there on are not handled, though the watermark passes them. */
export interface StoppedKey {
  readonly key: string;
  /** The first item that is not handled. */
  readonly id: number;
  /** Where to read from to find it. */
  readonly from: Position;
  /** That item is a dead letter. Not so where a round of retries has got past it. */
  readonly dead: boolean;
  readonly round: number;
}

export function stopPrefix(partition: number): string {
  return `{${partitionKey(partition)}}stop/`;
}

/** Longest key that is written out, in bytes: with the prefix it must fit a store's key. */
const longestPlain = 900;

export function stopKey(partition: number, key: string): string {
  const bytes = utf8Length(key);
  const plain = bytes >= 0 && bytes <= longestPlain;
  return stopPrefix(partition) + (plain ? `=${key}` : `#${createHash("sha256").update(key, "utf16le").digest("hex")}`);
}
