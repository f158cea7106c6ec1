import type { Outcome } from "../../port/index.ts";
import type { Task } from "../common/call.ts";
import { decide } from "../common/decide.ts";
import type { Lane } from "./client.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./failures.ts";
import { planOf } from "./plan.ts";
import { changesOf, holdsAll, lockRows, type Locking } from "./rows.ts";
import { needsRead, type RowView } from "./row-view.ts";

/** With `skip`, groups whose rows somebody else has locked are left, instead of waiting for them. */
export interface TransactionOptions extends Locking {
  readonly lane: Lane;
}

/**
 * Runs groups in one transaction of two round trips: locks and reads their rows; decides them here, and writes what
 * has changed. Gives those whose rows it did not get. Rejects where nothing was decided, or nobody can know: each
 * group that was sent has `sent`.
 */
export async function transact(
  { name, time, client, dialect, teller }: Context,
  tasks: readonly Task[],
  { lane, skip, renews }: TransactionOptions,
): Promise<readonly Task[]> {
  const deadline = Math.max(...tasks.map((task) => task.deadline));
  const transaction = await client.transaction({ deadline }, lane);
  try {
    const live = tasks.filter(({ outcome }) => !outcome);
    if (live.length === 0) return [];
    const plan = planOf(live.map(({ group }) => group));
    const view = await lockRows(dialect, plan, { skip, renews }, async (statements) => transaction.run(statements));
    const left = holdsAll(view, plan) ? [] : live.filter(({ group }) => !holdsAll(view, planOf([group])));
    const held = left.length === 0 ? live : live.filter((task) => !left.includes(task));
    // From here to the second trip nothing waits: what is told unsent meanwhile is not decided.
    const { decided, later } = decideAll(view, held, { now: time.monotonic(), name });
    const { news } = view;
    if (view.hasChanged) {
      const statements = [...changesOf(dialect, view, plan, renews), ...teller.statements(news)];
      for (const { task } of decided) task.sent = true;
      await transaction.commit(statements);
    } else transaction.rollback();
    for (const { task, outcome } of decided) task.settle(outcome);
    teller.done(news);
    return [...left, ...later];
  } finally {
    transaction.rollback();
  }
}

/** Decides groups that somebody still waits for, one after the other; `later` are those that need rows of their own. */
function decideAll(
  view: RowView,
  tasks: readonly Task[],
  { now, name }: { readonly now: number; readonly name: string },
): {
  readonly decided: readonly { readonly task: Task; readonly outcome: Outcome }[];
  readonly later: readonly Task[];
} {
  const decided: { task: Task; outcome: Outcome }[] = [];
  const later: Task[] = [];
  for (const task of tasks) {
    if (!task.isWanted(now)) continue;
    try {
      decided.push({ task, outcome: decide(view, task.group, task.session) });
    } catch (error) {
      if (error === needsRead) later.push(task);
      else task.fail(failureOf(error, name), false);
    }
  }
  return { decided, later };
}
