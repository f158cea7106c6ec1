import type { Group, Operation, Ttl } from "../../port/index.ts";
import type { Task } from "../common/call.ts";
import type { Statement } from "./client.ts";
import type { Context } from "./context.ts";
import type { Dialect, SetRow } from "./dialect.ts";
import { inOrder } from "./plan.ts";
import type { News } from "./row-view.ts";
import { stampsText } from "./stamps.ts";
import { formatOf } from "./values.ts";

type SetOperation = Extract<Operation, { readonly op: "set" }>;

/**
 * Writes groups of sets that look at nothing, in one statement: each record's end is counted by the server's clock in
 * it. Rejects where nothing was written, or nobody can know: each group that was sent has `sent`.
 */
export async function writeSets({ time, client, dialect, teller }: Context, tasks: readonly Task[]): Promise<void> {
  const limit = { deadline: Math.max(...tasks.map(({ deadline }) => deadline)) };
  const keys = tasks.flatMap(({ group }) => group.ops.map((op) => (op as SetOperation).key));
  const news: News = { granted: [], changed: keys, locks: [], now: 0 };
  const telling = teller.statements(news);
  let sent: readonly Task[] = [];
  const make = (): Statement | undefined => {
    const now = time.monotonic();
    sent = tasks.filter((task) => task.isWanted(now));
    for (const task of sent) task.sent = true;
    return sent.length === 0
      ? undefined
      : dialect.set(
          setRowsOf(
            sent.map(({ group }) => group),
            dialect,
          ),
        );
  };
  if (telling.length === 0) await client.write(make, limit);
  else {
    const transaction = await client.transaction(limit, "calls");
    try {
      const statement = make();
      if (statement) await transaction.commit([statement, ...telling]);
    } finally {
      transaction.rollback();
    }
  }
  for (const task of sent) task.settle({ ok: true, results: task.group.ops.map(() => undefined) });
  teller.done(news);
}

/** The rows of groups of sets that look at nothing. */
export function setRowsOf(groups: readonly Group[], { mostNested }: Dialect): readonly SetRow[] {
  const rows = groups.flatMap(({ ops }) =>
    (ops as readonly SetOperation[]).map(({ key, id, value, ttl, stamps }): SetRow => {
      const format = formatOf(key.space, value, mostNested);
      return { key, version: id, format, value, end: endOf(ttl), stamps: stampsText(stamps) };
    }),
  );
  return inOrder(rows);
}

function endOf(ttl: Ttl | undefined): SetRow["end"] {
  if (ttl === undefined || ttl === "keep") return undefined;
  return typeof ttl === "number" ? { in: Math.ceil(ttl) } : { at: Math.ceil(ttl.at) };
}
