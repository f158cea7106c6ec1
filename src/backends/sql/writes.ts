import type { Group, Operation, Ttl } from "../../port/index.ts";
import type { Task } from "../common/call.ts";
import type { Statement } from "./client.ts";
import type { Context } from "./context.ts";
import type { SetRow } from "./dialect.ts";
import { inOrder } from "./plan.ts";
import { stampsText } from "./stamps.ts";
import { formatOf } from "./values.ts";

type SetOperation = Extract<Operation, { readonly op: "set" }>;

/**
 * Writes groups of sets that look at nothing, in one statement: each record's end is counted by the server's clock in
 * it. Rejects where nothing was written, or nobody can know: each group that was sent has `sent`.
 */
export async function writeSets({ time, client, dialect }: Context, tasks: readonly Task[]): Promise<void> {
  const limit = { deadline: Math.max(...tasks.map(({ deadline }) => deadline)) };
  let sent: readonly Task[] = [];
  const make = (): Statement | undefined => {
    const now = time.monotonic();
    sent = tasks.filter((task) => task.isWanted(now));
    for (const task of sent) task.sent = true;
    const groups = sent.map(({ group }) => group);
    return groups.length === 0 ? undefined : dialect.set(setRowsOf(groups));
  };
  await client.write(make, limit);
  for (const task of sent) task.settle({ ok: true, results: task.group.ops.map(() => undefined) });
}

/** The rows of groups of sets that look at nothing. */
export function setRowsOf(groups: readonly Group[]): readonly SetRow[] {
  const rows = groups.flatMap(({ ops }) =>
    (ops as readonly SetOperation[]).map(({ key, id, value, ttl, stamps }): SetRow => {
      const format = formatOf(key.space, value);
      return { key, version: id, format, value, end: endOf(ttl), stamps: stampsText(stamps) };
    }),
  );
  return inOrder(rows);
}

function endOf(ttl: Ttl | undefined): SetRow["end"] {
  if (ttl === undefined || ttl === "keep") return undefined;
  return typeof ttl === "number" ? { in: Math.ceil(ttl) } : { at: Math.ceil(ttl.at) };
}
