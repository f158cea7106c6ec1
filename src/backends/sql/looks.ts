import { keyId, type Key } from "../../base/keys.ts";
import type { LockOperation } from "../../port/index.ts";
import type { Task } from "../common/call.ts";
import { decide } from "../common/decide.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./failures.ts";
import { inOrder } from "./plan.ts";
import { RowView } from "./row-view.ts";

/** Of so many owners that asked for a lock lately it is known that they did; of the last half in any case. */
const mostKnown = 4_096;

type WaitingAcquire = Extract<LockOperation, { readonly op: "acquire" }>;

/**
 * Where sessions are not told of grants, whoever waits for a lock asks for it again and again, in each process. Nearly
 * all that they learn is that it is held still: a look at the lock tells that, which locks no row and writes nothing.
 */
export class Looks {
  readonly #context: Context;
  #known = new Set<string>();
  #before = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether it is an acquire that waits and asks again; notes it for the next time. */
  mayAnswer({ group }: Task): boolean {
    const op = waitingAcquire(group.ops[0]);
    if (op === undefined || this.#context.dialect.look === undefined || group.ops.length > 1 || group.guards?.length) {
      return false;
    }
    const id = `${op.owner} ${keyId(op.lock)}`;
    if (this.#known.has(id)) return true;
    const asks = this.#before.has(id);
    if (this.#known.size >= mostKnown / 2) {
      this.#before = this.#known;
      this.#known = new Set();
    }
    this.#known.add(id);
    return asks;
  }

  /** Looks at the locks, and gives those that something is to be done for. Rejects where nothing was learned. */
  async run(tasks: readonly Task[]): Promise<readonly Task[]> {
    const { name, time, client, dialect } = this.#context;
    const keys = new Map(tasks.map(({ group }) => lockOf(group.ops[0])).map((key) => [keyId(key), { key }]));
    const statement = dialect.look?.(inOrder(keys.values()).map(({ key }) => key));
    if (!statement) return tasks;
    const reply = await client.read(statement, { deadline: Math.max(...tasks.map(({ deadline }) => deadline)) });
    const rows = new Map(dialect.locks(reply).map((row, i) => [row.id, { row, columns: reply.rows[i] ?? [] }]));
    const now = time.monotonic();
    return tasks.filter((task) => {
      const found = rows.get(keyId(lockOf(task.group.ops[0])));
      if (!found || task.outcome) return !task.outcome;
      const view = new RowView(dialect);
      view.add("locks", [found.row]);
      view.setClock(dialect.time({ rows: [found.columns.slice(lockColumns)], changed: 0 }));
      try {
        const outcome = decide(view, task.group, task.session);
        if (outcome.ok || view.hasChanged) return true;
        if (task.isWanted(now)) task.settle(outcome);
      } catch (error) {
        task.fail(failureOf(error, name), false);
      }
      return false;
    });
  }
}

/** Of a lock; behind them are those of the clock. */
const lockColumns = 3;

function waitingAcquire(op: Task["group"]["ops"][number] | undefined): WaitingAcquire | undefined {
  return op?.op === "acquire" && op.wait !== undefined ? op : undefined;
}

function lockOf(op: Task["group"]["ops"][number] | undefined): Key {
  return (op as WaitingAcquire).lock;
}
