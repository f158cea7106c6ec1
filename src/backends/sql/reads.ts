import type { Task } from "../common/call.ts";
import { decide } from "../common/decide.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./failures.ts";
import { inOrder, planOf } from "./plan.ts";
import { readStamps } from "./rows.ts";
import { RowView } from "./row-view.ts";

/**
 * Answers groups that only read, those that look at values from one snapshot, and those that do not from another; two
 * where stamps are apart. It waits for nobody.
 */
export async function readGroups(context: Context, tasks: readonly Task[]): Promise<void> {
  const [values, keysOnly]: [Task[], Task[]] = [[], []];
  for (const task of tasks) {
    const plain = task.group.ops.every((op) => op.op === "get" && op.keyOnly);
    (plain ? keysOnly : values).push(task);
  }
  await Promise.all([readSome(context, values, true), readSome(context, keysOnly, false)]);
}

async function readSome(
  { name, time, client, dialect }: Context,
  tasks: readonly Task[],
  values: boolean,
): Promise<void> {
  if (tasks.length === 0) return;
  const limit = { deadline: Math.max(...tasks.map(({ deadline }) => deadline)) };
  const plan = planOf(tasks.map(({ group }) => group));
  const keys = inOrder(plan.records.values()).map(({ key }) => key);
  const view = new RowView(dialect);
  if (keys.length > 0) {
    const get = dialect.get(keys, { values, current: plan.stamped.size > 0 });
    view.add("records", dialect.records(await client.read(get, limit)));
  }
  if (dialect.stamps === "apart") {
    await readStamps(dialect, view, plan, async ([statement]) => {
      return statement ? [await client.read(statement, limit)] : [];
    });
  }
  const now = time.monotonic();
  for (const task of tasks) {
    if (!task.isWanted(now)) continue;
    try {
      task.settle(decide(view, task.group, task.session));
    } catch (error) {
      task.fail(failureOf(error, name), false);
    }
  }
}
