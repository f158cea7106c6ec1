import {
  BatchError,
  InvalidArgumentError,
  isHoldfastError,
  UnavailableError,
  type BatchOutcome,
} from "../base/errors.ts";
import { refuseForgotten, type Call, type CallOptions } from "../client/index.ts";
import type { Operation } from "../port/index.ts";
import { resolveCondition } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry, Version } from "./entry.ts";
import { checkIterable, resolveTtl, type SaveEntry, type SaveManyOptions } from "./options.ts";
import type { Protection } from "./protection.ts";
import { whenAll } from "./thenable.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

/** The entries of keys, those that are there, in the order of the keys: one request, whatever their number. */
export async function loadEntries<T>(
  core: StoreCore<T>,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, Entry<T>>> {
  const call = core.instance.call(options);
  checkIterable(keys, "keys");
  const addresses = Array.from(new Set(keys), (key) => core.at(key));
  if (!core.host.known) await core.host.ready(call);
  // A group a key: one server may keep them in several places.
  const records = await whenAll(addresses, (key) => core.read(key, call));
  const present = records.filter((record) => record !== undefined);
  const entries = await whenAll(present, (record) => core.entry(record, call));
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** Saves entries independently of each other, in one request. */
export async function saveMany<T>(
  core: StoreCore<T>,
  entries: Iterable<readonly [string, T] | SaveEntry<T>>,
  options: SaveManyOptions | undefined,
): Promise<Version[]> {
  refuseForgotten(options, "lease");
  const { host } = core;
  const call = core.instance.call(options);
  const ttl = resolveTtl(options?.ttl, core.ttl);
  checkIterable(entries, "entries");
  const preparing = whenAll(entries, (entry) => prepare(core, entry, ttl, call));
  const sets = preparing instanceof Promise ? await preparing : preparing;
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  // Before anything is sent: one bad entry refuses all.
  for (const op of sets) core.checkSize(op.value, op.key.key, opened);
  for (const op of sets) protection?.cover([op], [op.key]);
  const outcomes = await Promise.all(sets.map((op) => saveOne(core, op, call, protection)));
  if (outcomes.every((outcome) => outcome.ok)) return sets.map((op) => op.id);
  throw failure(core, outcomes, call);
}

type Saved = { readonly ok: true; readonly value: Version } | { readonly ok: false; readonly error: unknown };

function prepare<T>(
  core: StoreCore<T>,
  entry: readonly [string, T] | SaveEntry<T>,
  storeTtl: number | undefined,
  call: Call,
): SetOperation | Promise<SetOperation> {
  if (typeof entry !== "object" || entry === null)
    throw new InvalidArgumentError("an entry must be [key, value] or { key, value }");
  const terms: SaveEntry<T> = isPair(entry) ? { key: entry[0], value: entry[1] } : entry;
  refuseForgotten(terms, "if");
  const key = core.at(terms.key);
  const condition = resolveCondition(terms.if, key.key);
  const ttl = resolveTtl(terms.ttl, storeTtl);
  const encoded = core.encode(terms.value, key.key, call);
  if (encoded instanceof Promise) return encoded.then((late) => core.set(key, late, condition, ttl));
  return core.set(key, encoded, condition, ttl);
}

function isPair<T>(entry: readonly [string, T] | SaveEntry<T>): entry is readonly [string, T] {
  return Array.isArray(entry);
}

async function saveOne<T>(
  core: StoreCore<T>,
  op: SetOperation,
  call: Call,
  protection: Protection | undefined,
): Promise<Saved> {
  try {
    core.passed(await core.write(op, call, protection), op.key.key);
    return { ok: true, value: op.id };
  } catch (error) {
    return { ok: false, error };
  }
}

/** What a batch that did not wholly succeed rejects with: the caller's own reason if nothing of it was sent. */
function failure<T>(core: StoreCore<T>, outcomes: readonly Saved[], call: Call): unknown {
  const aborted = call.signal?.aborted === true;
  if (aborted && outcomes.every((outcome) => !outcome.ok && outcome.error === call.signal?.reason))
    return call.signal?.reason;
  const { backend } = core.source;
  const told = outcomes.map((outcome): BatchOutcome<Version> => {
    if (outcome.ok) return outcome;
    const { error } = outcome;
    if (isHoldfastError(error)) return { ok: false, error };
    return {
      ok: false,
      error: new UnavailableError("ended before it was sent: nothing was written", { backend, cause: error }),
    };
  });
  const failed = told.filter((outcome) => !outcome.ok).length;
  return new BatchError(`${failed} of ${told.length} entries were not saved`, { backend, outcomes: told });
}
