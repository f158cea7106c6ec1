import { rejected } from "../base/async.ts";
import type { Duration } from "../base/durations.ts";
import type { Key } from "../base/keys.ts";
import { refuseForgotten, type Call, type CallOptions } from "../client/index.ts";
import type { Condition, Operation, Ttl } from "../port/index.ts";
import { resolveCondition, resolveVersion } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry, Version } from "./entry.ts";
import {
  resolveEnd,
  requireTtl,
  type DeleteOptions,
  type LeaseOption,
  type LoadEntryOptions,
  type SaveOptions,
  type TouchOptions,
} from "./options.ts";
import type { Encoded } from "./values.ts";

// Calls on one key. They send their request before they first wait, where they can, so that calls on one key keep their
// order.

export function load<T>(core: StoreCore<T>, rawKey: string, options: CallOptions | undefined): Promise<T | undefined> {
  try {
    const call = core.instance.call(options);
    const key = core.at(rawKey);
    if (core.host.known) return core.load(key, call);
    return core.host.ready(call).then(() => core.load(key, call));
  } catch (error) {
    return rejected(error);
  }
}

export async function loadEntry<T>(
  core: StoreCore<T>,
  rawKey: string,
  options: LoadEntryOptions | undefined,
): Promise<Entry<T> | undefined> {
  refuseForgotten(options, "lease");
  const call = core.instance.call(options);
  const key = core.at(rawKey);
  const opened = core.host.known ?? (await core.host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const record = await core.read(key, call, protection);
  return record && core.entry(record, call);
}

export async function has<T>(core: StoreCore<T>, rawKey: string, options: CallOptions | undefined): Promise<boolean> {
  const call = core.instance.call(options);
  const key = core.at(rawKey);
  if (!core.host.known) await core.host.ready(call);
  const reply = await core.instance.execute({ ops: [{ op: "get", key, keyOnly: true }] }, call);
  return core.passed(reply, rawKey) !== undefined;
}

export function save<T>(
  core: StoreCore<T>,
  rawKey: string,
  value: T,
  options: SaveOptions | undefined,
): Promise<Version> {
  try {
    refuseForgotten(options, "lease", "if");
    const call = core.instance.call(options);
    const key = core.at(rawKey);
    const condition = resolveCondition(options?.if, rawKey);
    const ttl = resolveEnd(options, core.ttl);
    const encoded = core.encode(value, rawKey, call);
    const { known } = core.host;
    if (!known || options?.lease !== undefined || encoded instanceof Promise)
      return saveLater(core, key, encoded, condition, ttl, options?.lease, call);
    core.checkSize(encoded.payload, rawKey, known);
    return core.save(key, encoded, condition, ttl, call);
  } catch (error) {
    return rejected(error);
  }
}

async function saveLater<T>(
  core: StoreCore<T>,
  key: Key,
  encoding: Encoded | Promise<Encoded>,
  condition: Condition | undefined,
  ttl: Ttl | undefined,
  lease: unknown,
  call: Call,
): Promise<Version> {
  const encoded = encoding instanceof Promise ? await encoding : encoding;
  const opened = core.host.known ?? (await core.host.ready(call));
  core.checkSize(encoded.payload, key.key, opened);
  const protecting = core.protection(lease, opened, call);
  if (!protecting) return core.save(key, encoded, condition, ttl, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  core.passed(await core.write(core.set(key, encoded, condition, ttl), call, protection), key.key);
  return encoded.id;
}

export function remove<T>(core: StoreCore<T>, rawKey: string, options: DeleteOptions | undefined): Promise<boolean> {
  return change(core, options, () => ({ op: "delete", key: core.at(rawKey), if: resolveVersion(options?.if, rawKey) }));
}

export function touch<T>(
  core: StoreCore<T>,
  rawKey: string,
  ttl: Duration | "never",
  options: TouchOptions | undefined,
): Promise<boolean> {
  return change(core, options, () => {
    const at = { op: "touch", key: core.at(rawKey), if: resolveVersion(options?.if, rawKey) } as const;
    return { ...at, ttl: requireTtl(ttl) };
  });
}

/** Sends an operation whose result is whether there was an entry. */
async function change<T>(
  core: StoreCore<T>,
  options: (CallOptions & LeaseOption) | undefined,
  make: () => Extract<Operation, { op: "delete" | "touch" }>,
): Promise<boolean> {
  refuseForgotten(options, "lease", "if");
  const op = make();
  const call = core.instance.call(options);
  const opened = core.host.known ?? (await core.host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  return core.passed(await core.write(op, call, protection), op.key.key) as boolean;
}
