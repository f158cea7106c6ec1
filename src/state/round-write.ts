import { FencedError, IndeterminateError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import { Write, type Call, type Instance, type Reply } from "../client/index.ts";
import type { Group } from "../port/index.ts";
import type { TaskList } from "./task-list.ts";
import type { Task } from "./task.ts";

/** The write of a round: one group with the changes of several tasks, sent only if all of them still want it. */
export class RoundWrite {
  /** Whether it was withdrawn at the last moment, because the caller of one of its changes had left. */
  withdrawn = false;
  readonly #list: TaskList;
  readonly #tasks: readonly Task<unknown>[];
  readonly #onSend: ((tasks: number) => void) | undefined;

  constructor(list: TaskList, tasks: readonly Task<unknown>[], onSend: ((tasks: number) => void) | undefined) {
    this.#list = list;
    this.#tasks = tasks;
    this.#onSend = onSend;
  }

  /** The limits of its request. Each of several callers may leave before. */
  call(): Call {
    const tasks = this.#tasks;
    if (tasks.length === 1) return (tasks[0] as Task<unknown>).call;
    for (const task of tasks) task.arm();
    return { signal: undefined, deadline: Math.max(...tasks.map(({ deadline }) => deadline)) };
  }

  send(group: Group, call: Call): Reply | Promise<Reply> {
    const { instance, protection } = this.#list.terms;
    this.withdrawn = false;
    const wanted = (): boolean => {
      this.withdrawn = this.#tasks.some((task) => task.over && task.wrote);
      if (!this.withdrawn) for (const task of this.#tasks) task.sent = true;
      return !this.withdrawn;
    };
    this.#onSend?.(this.#tasks.length);
    const write = new ConditionalWrite(instance, group, call, wanted);
    const send = (): Reply | Promise<Reply> => instance.execute(group, call, write);
    return protection ? protection.send(send) : send();
  }

  /** What a failure of the write means for one of its tasks: one that changed nothing has only failed to read. */
  failure(task: Task<unknown>, error: unknown): unknown {
    const alone = this.#tasks.length === 1;
    const context = { backend: this.#list.backend, key: task.work.key, cause: error };
    if (isHoldfastError(error, "INDETERMINATE")) {
      if (!task.wrote) return new UnavailableError("the store could not be asked: nothing was changed", context);
      return alone ? error : new IndeterminateError(error.message, context);
    }
    if (alone) return error;
    if (isHoldfastError(error, "FENCED")) return this.fenced(task);
    return isHoldfastError(error, "UNAVAILABLE") ? new UnavailableError(error.message, context) : error;
  }

  /** The error of a task whose lease the store refused. */
  fenced(task: Task<unknown>): FencedError {
    const context = { backend: this.#list.backend, key: task.work.key };
    return new FencedError("the lease is no longer held: nothing was written", context);
  }
}

class ConditionalWrite extends Write<Reply> {
  readonly wanted: () => boolean;

  constructor(instance: Instance, group: Group, call: Call, wanted: () => boolean) {
    super(instance, group, call);
    this.wanted = wanted;
  }

  read(reply: Reply): Reply {
    return reply;
  }
}
