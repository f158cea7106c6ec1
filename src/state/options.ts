import { toMsOrNever, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { CallOptions } from "../client/index.ts";
import { json, type Codec } from "../codec/index.ts";
import type { Ttl } from "../port/index.ts";
import type { Entry, Version } from "./entry.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** How a state store keeps its entries. */
export interface StateStoreOptions<T> {
  /** Separates the records of applications that share a store. At most 256 bytes. Default: `""`. */
  readonly service?: string | undefined;
  /** How long an entry lives after it was saved, unless `save` says otherwise. Default: `"never"`. */
  readonly ttl?: Duration | "never" | undefined;
  /**
   * Checks values on save, and on load after `migrate`. Its output is what is stored or returned, so it must accept its
   * own output. If it refuses a value, `save` rejects with InvalidArgumentError and `load` with CorruptValueError.
   */
  readonly schema?: StandardSchema<T> | undefined;
  /**
   * The version of the values' shape that this code writes: a positive integer. Raise it when the shape changes.
   * Default: 1.
   */
  readonly version?: number | undefined;
  /**
   * Brings a value that an earlier version wrote to the present shape, on every load until it is saved again. Without
   * it the value is taken as it is.
   */
  readonly migrate?: ((value: unknown, fromVersion: number) => unknown) | undefined;
  /** How values become text or bytes. Default: JSON that keeps more than JSON does. */
  readonly codec?: Codec | undefined;
}

/** A condition on an entry: that there is none, or that it still has a version. */
export type If = { readonly absent: true } | IfVersion;
/** The condition that an entry still has a version. */
export type IfVersion = { readonly version: Version } | Entry<unknown>;

/** A lease, as locks hand them out. */
export interface LeaseLike {
  readonly fence: bigint;
  assertHeld(): void;
}

/** The lease that guards a call. */
export interface LeaseOption {
  /**
   * Writes only while this lease is held, else FencedError. A lease of the same store may be on any lock. A lease of
   * another server must be on the name and key of the entry. An own property that is `undefined` is refused.
   */
  readonly lease?: LeaseLike;
}

/** Options of `loadEntry`. */
export interface LoadEntryOptions extends CallOptions, LeaseOption {}

/** When an entry ends. */
export interface EndOptions {
  /** How long the entry lives from now on: milliseconds, a string such as `"5m"`, or `"never"`. */
  readonly ttl?: Duration | "never" | undefined;
  /**
   * When it expires, by the store's clock: a Date, or milliseconds since 1970. An entry with a time in the past is
   * written and has expired. Together with `ttl` it is refused with InvalidArgumentError.
   */
  readonly expiresAt?: Date | number | undefined;
}

/** Options of one entry on `save`. Without `ttl` and `expiresAt` the ttl of the store is used. */
export interface SaveTerms extends EndOptions {
  /** Writes only if there is no entry, or if the entry still has that version; else ConflictError. */
  readonly if?: If;
}

/** Options of `save`. */
export interface SaveOptions extends CallOptions, LeaseOption, SaveTerms {}

/** One entry for `saveMany`. */
export interface SaveEntry<T> extends SaveTerms {
  readonly key: string;
  readonly value: T;
}

/** Options of `saveMany`. `ttl` and `expiresAt` are for the entries that have neither. */
export interface SaveManyOptions extends CallOptions, LeaseOption, EndOptions {}

/**
 * Options of `update`. Without `ttl` and `expiresAt` an existing entry keeps what remains of its life, and a new one
 * gets the ttl of the store.
 */
export interface UpdateOptions extends CallOptions, LeaseOption, EndOptions {}

/** Options of `upsert`. */
export interface UpsertOptions extends UpdateOptions {
  /**
   * Whether `ttl` and `expiresAt` are for a new entry only. An existing entry then keeps what remains of its life.
   * Default: false.
   */
  readonly keepTtl?: boolean | undefined;
}

/** Options of `take`. */
export interface TakeOptions extends CallOptions, LeaseOption {}

/** Options of `touch`. */
export interface TouchOptions extends CallOptions, LeaseOption {
  /** Only if the entry still has that version; else, and if there is no entry, ConflictError. */
  readonly if?: IfVersion;
}

/** Options of `deleteMany`. */
export interface DeleteManyOptions extends CallOptions, LeaseOption {}

/** Options of `clear`. */
export interface ClearOptions extends CallOptions, LeaseOption {
  /** Only keys that start with it. Default: all of the store. */
  readonly prefix?: string | undefined;
}

/** Options of `count`. */
export interface CountOptions extends CallOptions {
  /** Only keys that start with it. Default: all of the store. */
  readonly prefix?: string | undefined;
}

/** Options of `delete`. */
export interface DeleteOptions extends CallOptions, LeaseOption {
  /** Deletes only if the entry still has that version; else, and if there is no entry, ConflictError. */
  readonly if?: IfVersion;
}

/** Options of `list` and `keys`. */
export interface ListOptions extends CallOptions {
  /** Only keys that start with it. */
  readonly prefix?: string | undefined;
  /** At most that many entries or keys. Default: all. */
  readonly limit?: number | undefined;
}

/** Options of `listPage`. */
export interface ListPageOptions extends CallOptions {
  /** Only keys that start with it; the same for every page of a listing. */
  readonly prefix?: string | undefined;
  /** Where to go on: the `cursor` of the page before. Opaque. */
  readonly cursor?: string | undefined;
  /** At most that many entries a page, 1 to 1,000. Default: 100. A page may hold fewer and still have a next one. */
  readonly limit?: number | undefined;
}

/** One page of a listing. */
export interface EntryPage<T> {
  readonly entries: readonly Entry<T>[];
  /** Where to go on. Absent on the last page. */
  readonly cursor?: string;
}

/** Options of `watch`. */
export interface WatchOptions extends CallOptions {
  /** Only keys that start with it. */
  readonly prefix?: string | undefined;
  /** Yields every entry first, and again after a gap. Default: false. */
  readonly initial?: boolean | undefined;
}

/** Options of a store, resolved once. */
export interface ResolvedStateStoreOptions<T> {
  readonly service: string;
  /** In ms; `undefined`: entries do not expire. */
  readonly ttl: number | undefined;
  readonly schema: StandardSchema<T> | undefined;
  readonly version: number;
  readonly migrate: ((value: unknown, fromVersion: number) => unknown) | undefined;
  readonly codec: Codec;
}

/** Checks a store's options and fills in the defaults. */
export function resolveOptions<T>(options: StateStoreOptions<T> = {}): ResolvedStateStoreOptions<T> {
  const { version = 1, schema, migrate, codec = json } = options;
  if (!Number.isSafeInteger(version) || version < 1 || version > 1e9) {
    throw new InvalidArgumentError("version must be a positive integer of at most 1,000,000,000");
  }
  if (migrate !== undefined && typeof migrate !== "function")
    throw new InvalidArgumentError("migrate must be a function");
  if (schema !== undefined && typeof schema["~standard"]?.validate !== "function") {
    throw new InvalidArgumentError("schema must implement Standard Schema version 1");
  }
  if (typeof codec.encode !== "function" || typeof codec.decode !== "function") {
    throw new InvalidArgumentError("codec must have the functions encode and decode");
  }
  return { service: options.service ?? "", ttl: resolveTtl(options.ttl, undefined), schema, version, migrate, codec };
}

/** A ttl in ms, `undefined` for none. Without `ttl`, `fallback`. */
function resolveTtl<F>(ttl: Duration | "never" | undefined, fallback: F): number | undefined | F {
  if (ttl === undefined) return fallback;
  const ms = toMsOrNever(ttl, "ttl");
  return ms === Infinity ? undefined : ms;
}

/** A ttl in ms that must be given, `undefined` for none. Throws InvalidArgumentError. */
export function requireTtl(ttl: Duration | "never"): number | undefined {
  const ms = resolveTtl(ttl, null);
  if (ms !== null) return ms;
  throw new InvalidArgumentError('ttl is required: milliseconds, a string such as "5m", or "never"');
}

/** When an entry ends, for the port; `fallback` if neither option is given. Throws InvalidArgumentError. */
export function resolveEnd<F>(terms: EndOptions | undefined, fallback: F): Exclude<Ttl, "keep"> | undefined | F {
  const expiresAt = terms?.expiresAt;
  if (expiresAt === undefined) return resolveTtl(terms?.ttl, fallback);
  if (terms?.ttl !== undefined)
    throw new InvalidArgumentError("ttl and expiresAt exclude each other: give one of them");
  const at: unknown = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (typeof at === "number" && at > 0 && at <= latestMs) return { at: Math.ceil(at) };
  throw new InvalidArgumentError("expiresAt must be a Date, or milliseconds since 1970");
}

/** Whether `ttl` is for a new entry only. Throws InvalidArgumentError for anything but true or false. */
export function checkKeepTtl(options: UpsertOptions | undefined): boolean {
  const keepTtl: unknown = options?.keepTtl ?? false;
  if (typeof keepTtl === "boolean") return keepTtl;
  throw new InvalidArgumentError("keepTtl must be true or false");
}

/** The last moment that a Date can hold. */
const latestMs = 8.64e15;

/** A count within bounds; without one, `fallback`. */
export function resolveLimit(limit: number | undefined, fallback: number, most: number): number {
  if (limit === undefined) return fallback;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > most) {
    throw new InvalidArgumentError(`limit must be an integer from 1 to ${most}`);
  }
  return limit;
}

/**
 * Throws InvalidArgumentError for anything but a collection. A string is refused too, for it would count as its
 * characters.
 */
export function checkIterable(items: unknown, what: string): void {
  if (
    typeof items === "object" &&
    items !== null &&
    typeof (items as Iterable<unknown>)[Symbol.iterator] === "function"
  )
    return;
  throw new InvalidArgumentError(
    `${what} must be an array or another collection, got ${items === null ? "null" : typeof items}`,
  );
}

/** Throws InvalidArgumentError for anything but a function. */
export function checkFunction(fn: unknown, what = "fn"): void {
  if (typeof fn !== "function") throw new InvalidArgumentError(`${what} must be a function, got ${typeof fn}`);
}
