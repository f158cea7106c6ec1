import type { Key } from "../base/keys.ts";
import { executeWrite, type Call, type Instance } from "../client/index.ts";
import type { Group, Guard, Opened, Operation, Result, StoredRecord } from "../port/index.ts";
import { checkGroup } from "./groups.ts";
import { Host } from "./host.ts";
import type { Item } from "./items.ts";
import type { Protection } from "./protection.ts";

/** What else goes into a transaction's group. */
export interface Extra {
  readonly ops?: readonly Operation[] | undefined;
  readonly guards?: readonly Guard[] | undefined;
}

/** How a commit ended. */
export type Commit =
  | { readonly ok: true; /** Those of the extra operations. */ readonly results: readonly Result[] }
  | {
      readonly ok: false;
      readonly why: "conflict" | "fenced" | "held";
      /** The operation that was refused; `undefined` for a guard. */
      readonly op: Operation | undefined;
      /** The record that a conflict was with. */
      readonly current: StoredRecord | undefined;
    };

/** What is committed: the items of a transaction under its lease, and more. */
export interface Committing {
  readonly instance: Instance;
  readonly items: ReadonlyMap<string, Item<unknown>>;
  readonly protection: Protection | undefined;
  readonly extra?: Extra | undefined;
}

/** The group of everything that was read and written, with what else belongs to it. */
export function groupOf({ items, protection, extra = {} }: Committing): Group {
  const ops: Operation[] = [];
  const read: Key[] = [];
  const written: Key[] = [];
  for (const item of items.values()) {
    const op = item.operation();
    if (op) ops.push(op);
    if (item.write !== undefined) written.push(item.key);
    else if (op) read.push(item.key);
  }
  if (extra.ops) ops.push(...extra.ops);
  const group: Group =
    protection && ops.length > 0 ? protection.cover(ops, written.length > 0 ? written : read) : { ops };
  return extra.guards ? { ops: group.ops, guards: [...(group.guards ?? []), ...extra.guards] } : group;
}

/**
 * The group, checked. Throws InvalidArgumentError or UnsupportedError for what the backend cannot keep or cannot run as
 * one group.
 */
export function checkedGroupOf(committing: Committing, opened: Opened): Group {
  for (const { core, key, write } of committing.items.values()) {
    if (write) core.checkSize(write.payload, key.key, opened);
  }
  const group = groupOf(committing);
  checkGroup(group, opened, committing.instance.backend.name);
  return group;
}

/**
 * Sends the group. A refusal of the store is the result; rejects as {@link checkedGroupOf} throws, and as every write
 * does.
 */
export async function commitItems(committing: Committing, call: Call): Promise<Commit> {
  const { instance, protection, extra } = committing;
  const host = Host.of(instance);
  const group = checkedGroupOf(committing, host.known ?? (await host.ready(call)));
  const [first] = group.ops;
  // A single record that was only read is what it was at that moment: there is nothing to compare it with.
  const nothing = !first || (first.op === "check" && group.ops.length === 1 && !group.guards);
  if (nothing) return { ok: true, results: [] };
  const send = (): ReturnType<typeof executeWrite> => executeWrite(instance, group, call);
  const reply = await (protection ? protection.send(send) : send());
  if (reply.ok) return { ok: true, results: reply.results.slice(reply.results.length - (extra?.ops?.length ?? 0)) };
  const current = reply.why === "conflict" ? reply.current : undefined;
  return { ok: false, why: reply.why, op: group.ops[reply.at], current };
}
