import { ConflictError, FencedError, InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import { keyId } from "../base/keys.ts";
import { executeWrite } from "../client/index.ts";
import type { Operation } from "../port/index.ts";
import type { Version } from "./entry.ts";
import { checkGroup } from "./groups.ts";
import { protectionOf } from "./protection.ts";
import type { StoreCore } from "./core.ts";
import { coreOf, type StateStore } from "./store.ts";

// Groups that their caller has prepared. `each` writes by this: it keeps the books of many transactions itself.

/** The condition on an entry: that it has this version; `null`: that there is none; `undefined`: no condition. */
export type Base = Version | null | undefined;

/**
 * How long a written entry lives: that many ms, what remains (`"keep"`), or as long as its store says (`undefined`).
 */
export type Ttl = number | "keep" | undefined;

/** One entry of a group: its condition, and its change. */
export interface Step {
  readonly store: StateStore<unknown>;
  readonly key: string;
  readonly base: Base;
  /** Absent: the entry is only checked. */
  readonly write?: { readonly value: unknown; readonly ttl: Ttl } | "delete";
}

/** How a group is sent. */
export interface GroupTerms {
  /**
   * `false`: the lease is checked in this process only, when the group is sent, because its lock is in another place of
   * the store.
   */
  readonly guarded?: boolean;
  /** The group is sent when this has resolved. If it rejects, that is the outcome of the group. */
  readonly after?: Promise<unknown> | undefined;
}

/** A group under way. */
export interface SentGroup {
  /**
   * The version that each step's entry will have. Known before the outcome, so that a next group can build on this one.
   */
  readonly versions: readonly Base[];
  /** Rejects with ConflictError, FencedError, UnavailableError or IndeterminateError. */
  readonly done: Promise<void>;
}

/**
 * Sends a group of entries, all or nothing, under a lease. Their stores and the lock of the lease are of one instance.
 * It reads nothing, and groups that share a key go in the order of the calls. Does not throw: an error in the group is
 * its outcome.
 */
export function sendGroup(steps: readonly Step[], lease: object, terms: GroupTerms = {}): SentGroup {
  const versions: Base[] = [];
  try {
    const [first] = steps;
    if (!first) throw new InvalidArgumentError("a group must name an entry");
    const core = coreOf(first.store);
    if (steps.some(({ store }) => coreOf(store).instance !== core.instance))
      throw new InvalidArgumentError("the stores of a group must be of one instance");
    const keys = new Set(steps.map(({ store, key }) => keyId(coreOf(store).at(key))));
    if (keys.size < steps.length) throw new InvalidArgumentError("a group must not name an entry twice");
    const ops = steps.map((step) => operationOf(step, versions));
    return { versions, done: send(core, ops, lease, terms) };
  } catch (error) {
    // No entry will ever have these versions, so what the caller has built on them meanwhile is refused as well.
    return {
      versions: steps.map(() => drawId()),
      done: Promise.reject(error instanceof Error ? error : new Error(String(error))),
    };
  }
}

async function send(
  core: StoreCore<unknown>,
  ops: readonly Operation[],
  lease: object,
  terms: GroupTerms,
): Promise<void> {
  const { guarded = true, after } = terms;
  if (after) await after;
  const { instance, host } = core;
  const { backend } = instance;
  const call = instance.ownCall();
  const opened = host.known ?? (await host.ready(call));
  const protecting = protectionOf(lease, instance, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const written = ops.flatMap((op) => (op.op === "set" || op.op === "delete" ? [op.key] : []));
  const group = guarded ? protection.cover(ops, written) : { ops };
  checkGroup(group, opened, backend.name);
  const reply = await protection.send(() => executeWrite(instance, group, call));
  if (reply.ok) return;
  if (reply.why !== "conflict")
    throw new FencedError("the lease is no longer held: nothing was written", { backend: backend.name });
  throw new ConflictError("an entry was changed by another: nothing was written", { backend: backend.name });
}

function operationOf({ store, key: rawKey, base, write }: Step, versions: Base[]): Operation {
  const core = coreOf(store);
  const key = core.at(rawKey);
  const condition = base === undefined ? undefined : base === null ? ({ absent: true } as const) : { id: base };
  if (write === undefined || write === "delete") {
    versions.push(write ? null : base);
    if (write) return { op: "delete", key, if: condition };
    return condition ? { op: "check", key, if: condition } : { op: "get", key };
  }
  const encoded = core.values.encode(write.value, rawKey);
  if (encoded instanceof Promise)
    throw new UnsupportedError("a schema that is checked asynchronously cannot be part of a group");
  const { known } = core.host;
  if (known) core.checkSize(encoded.payload, rawKey, known);
  versions.push(encoded.id);
  return core.set(key, encoded, condition, write.ttl ?? core.ttl);
}
