import { ConflictError, FencedError, InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import { keyId } from "../base/keys.ts";
import { executeWrite, type Instance } from "../client/index.ts";
import type { Operation } from "../port/index.ts";
import type { Version } from "./entry.ts";
import { checkGroup } from "./groups.ts";
import { Host } from "./host.ts";
import { protectionOf } from "./protection.ts";
import { coreOf, type StateStore } from "./store.ts";

/** @internal One entry of a group that its caller has prepared: what must be so, and what becomes of it. */
export interface Step {
  readonly store: StateStore<unknown>;
  readonly key: string;
  /** `null`: there is no entry; `undefined`: anything. */
  readonly base: Version | null | undefined;
  /** `"keep"` keeps what remains of the ttl, `undefined` takes the store's. Absent: the entry is only checked. */
  readonly write?: { readonly value: unknown; readonly ttl: number | "keep" | undefined } | "delete";
}

/** @internal How a group is sent. */
export interface GroupTerms {
  /** `false`: the lease is only looked at here, when the group is sent, since its lock is in another place of the store. */
  readonly guarded?: boolean;
  /** Sends the group once this has resolved; should it reject, that is the group's outcome. */
  readonly after?: Promise<unknown> | undefined;
}

/** @internal A group on its way. */
export interface SentGroup {
  /** The version that each step's entry will have. Known before the outcome, so that a next group can build on this one. */
  readonly versions: readonly (Version | null | undefined)[];
  /** Rejects with ConflictError, FencedError, UnavailableError or IndeterminateError. */
  readonly done: Promise<void>;
}

/**
 * @internal Sends a group of entries, all or nothing, under a lease of the same instance. For those who keep the books of many
 * transactions themselves: nothing is read, and groups that share a key go in the order of the calls.
 */
export function sendGroup(
  instance: Instance,
  steps: readonly Step[],
  lease: object,
  terms: GroupTerms = {},
): SentGroup {
  const versions: (Version | null | undefined)[] = [];
  try {
    const keys = new Set(steps.map(({ store, key }) => keyId(coreOf(store).at(key))));
    if (keys.size < steps.length) throw new InvalidArgumentError("a group must not name an entry twice");
    const ops = steps.map((step) => operationOf(step, versions));
    return { versions, done: send(instance, ops, lease, terms) };
  } catch (error) {
    // Versions that nothing will ever have: what the caller has built on them meanwhile is refused as well.
    return {
      versions: steps.map(() => drawId()),
      done: Promise.reject(error instanceof Error ? error : new Error(String(error))),
    };
  }
}

async function send(instance: Instance, ops: readonly Operation[], lease: object, terms: GroupTerms): Promise<void> {
  const { guarded = true, after } = terms;
  if (after) await after;
  const { backend } = instance;
  const call = instance.ownCall();
  const host = Host.of(instance);
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

function operationOf({ store, key: rawKey, base, write }: Step, versions: (Version | null | undefined)[]): Operation {
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
