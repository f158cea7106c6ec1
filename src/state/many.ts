import {
  allOrBatchError,
  refuseForgotten,
  refuseUnknown,
  toEntry,
  type Call,
  type CallOptions,
  type Reply,
} from "../client/index.ts";
import type { Operation, Result, Ttl } from "../port/index.ts";
import { resolveCondition } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry, Version } from "./entry.ts";
import { checkIterable, resolveEnd, type DeleteManyOptions, type SaveEntry, type SaveManyOptions } from "./options.ts";
import { whenAll } from "./thenable.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

/** The entries of those keys that have one, in the order of the keys. One request, however many keys. */
export async function loadEntries<T>(
  core: StoreCore<T>,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, Entry<T>>> {
  const call = core.instance.call(options);
  checkIterable(keys, "keys");
  const addresses = Array.from(new Set(keys), (key) => core.at(key));
  if (!core.host.known) await core.host.ready(call);
  // One group for each key, because a server may keep the keys in several places.
  const records = await whenAll(addresses, (key) => core.read(key, call));
  const present = records.filter((record) => record !== undefined);
  const entries = await whenAll(present, (record) => core.entry(record, call));
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** Deletes entries independently of each other, in one request. How many there were. */
export async function deleteMany<T>(
  core: StoreCore<T>,
  keys: Iterable<string>,
  options: DeleteManyOptions | undefined,
): Promise<number> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  const { host, source } = core;
  const call = core.instance.call(options);
  checkIterable(keys, "keys");
  const addresses = Array.from(new Set(keys), (key) => core.at(key));
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const ops = addresses.map((key) => ({ op: "delete", key }) as const);
  // Before anything is sent: a key that the lease does not cover refuses all.
  for (const op of ops) protection?.cover([op], [op.key]);
  const remove = async (op: (typeof ops)[number]): Promise<Result> =>
    core.passed(await core.write(op, call, protection), op.key.key);
  const deleted = await allOrBatchError(ops, remove, call, source.backend, "deleted");
  return deleted.filter((was) => was === true).length;
}

/** Saves entries independently of each other, in one request. */
export async function saveMany<T>(
  core: StoreCore<T>,
  entries: Iterable<readonly [string, T] | SaveEntry<T>>,
  options: SaveManyOptions | undefined,
): Promise<Version[]> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  const { host } = core;
  const call = core.instance.call(options);
  const ttl = resolveEnd(options, core.ttl);
  checkIterable(entries, "entries");
  const preparing = whenAll(entries, (entry) => prepare(core, entry, ttl, call));
  const sets = preparing instanceof Promise ? await preparing : preparing;
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  // Before anything is sent: one bad entry refuses all.
  for (const op of sets) core.checkSize(op.value, op.key.key, opened);
  for (const op of sets) protection?.cover([op], [op.key]);
  const save = (op: SetOperation): Version | Promise<Version> => {
    const reply = core.write(op, call, protection);
    return reply instanceof Promise ? reply.then((late) => saved(core, op, late)) : saved(core, op, reply);
  };
  return await allOrBatchError(sets, save, call, core.source.backend, "saved");
}

function saved<T>(core: StoreCore<T>, op: SetOperation, reply: Reply): Version {
  core.passed(reply, op.key.key);
  return op.id;
}

function prepare<T>(
  core: StoreCore<T>,
  entry: readonly [string, T] | SaveEntry<T>,
  ttlOfAll: Exclude<Ttl, "keep"> | undefined,
  call: Call,
): SetOperation | Promise<SetOperation> {
  const terms: SaveEntry<T> = toEntry(entry, "{ key, value }");
  refuseForgotten(terms, "if");
  refuseUnknown(terms, "lease");
  const key = core.at(terms.key);
  const condition = resolveCondition(terms.if, key.key);
  const ttl = resolveEnd(terms, ttlOfAll);
  const encoded = core.encode(terms.value, key.key, call);
  if (encoded instanceof Promise) return encoded.then((late) => core.set(key, late, condition, ttl));
  return core.set(key, encoded, condition, ttl);
}
