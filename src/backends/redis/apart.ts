import type { Group, Operation, Result } from "../../port/index.ts";
import type { Touch } from "./encode.ts";
import type { Places } from "./places.ts";
import { decodeRecord, type NamedStamp } from "./record.ts";
import type { Reply, Router } from "./router.ts";

/** A result that is one only if its stamps are current. */
export interface Doubt {
  /** Place of its group in the batch. */
  readonly member: number;
  readonly results: Result[];
  readonly place: number;
  readonly stamps: readonly NamedStamp[];
}

/**
 * Reads the stamps that records name, where they may be on other servers than the records: one more round trip. Takes
 * away the results whose stamps are not current. Rejects with RedisFailure.
 */
export async function settleDoubts(router: Router, places: Places, doubts: readonly Doubt[]): Promise<void> {
  const bySlot = new Map<number, Set<string>>();
  for (const { stamps } of doubts) {
    for (const { name } of stamps) {
      const slot = places.slotOf(name);
      bySlot.set(slot, (bySlot.get(slot) ?? new Set()).add(name));
    }
  }
  const ids = new Map<string, string | undefined>();
  await Promise.all(
    [...bySlot.values()].map(async (set) => {
      const names = [...set];
      const found = (await router.send("commands", names[0], ["MGET", ...names])) as readonly Reply[];
      for (const [i, name] of names.entries()) {
        const bytes = found[i] as Buffer | null;
        ids.set(name, bytes === null ? undefined : decodeRecord(name, bytes)?.id);
      }
    }),
  );
  for (const { results, place, stamps } of doubts) {
    if (!stamps.every(({ name, id }) => ids.get(name) === id)) results[place] = undefined;
  }
}

/**
 * Whether a group must know of stamps before it is sent: a touch of a record that is not current must not take effect.
 */
export function looksFirst({ ops }: Group): boolean {
  return ops.some(isStampedTouch);
}

/** What is read for it. */
export function readsOf({ ops }: Group): Group {
  return { ops: ops.filter(isStampedTouch).map(({ key }) => ({ op: "get", key, stamped: true, keyOnly: true })) };
}

/** The group with what the results of {@link readsOf} tell. */
export function withLook(group: Group, results: readonly Result[]): Group {
  let at = 0;
  const ops = group.ops.map((op) => {
    if (!isStampedTouch(op)) return op;
    const touch: Touch = { ...op, stamped: false, stale: results[at++] === undefined };
    return touch;
  });
  return { ...group, ops };
}

function isStampedTouch(op: Operation): op is Touch {
  return op.op === "touch" && op.stamped === true;
}
