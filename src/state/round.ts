import type { Joined, Reply } from "../client/index.ts";
import type { Group, StoredRecord } from "../port/index.ts";
import { checkGroup, refusalOf } from "./groups.ts";
import { RoundWrite } from "./round-write.ts";
import { soon, within } from "./soon.ts";
import type { TaskList } from "./task-list.ts";
import type { Task } from "./task.ts";
import type { View } from "./view.ts";

/** No function starts in a round that has lasted longer, in ms: a turn of the event loop is to stay short. */
const roundMs = 4;
/** No function starts in a round that has so many keys. */
export const mostKeys = 64;
/** How long the other tasks wait for a slow function, in ms. After that it runs apart from the round. */
const longestFunctionMs = 1_000;

/**
 * How a round ended. `done`: it was written. `conflict`: others had changed what it saw. `again`: a caller left before
 * anything was sent, or the group was too large. `apart`: a slow function runs on by itself and keeps the view. After
 * the last three, the tasks that are not over wait again.
 */
export type Ended = "done" | "conflict" | "again" | "apart";

/**
 * Runs the functions of tasks one after another, each on what the previous one left in the view, and writes all changes
 * at once.
 */
export class Round {
  readonly #list: TaskList;
  readonly #view: View;
  /** The tasks whose functions have run or run now, and that are to be written. */
  #tasks: Task<unknown>[] = [];
  readonly #onSend: ((tasks: number) => void) | undefined;

  /** `onSend` is called right before the changes of that many tasks are sent. */
  constructor(list: TaskList, view: View, onSend?: (tasks: number) => void) {
    this.#list = list;
    this.#view = view;
    this.#onSend = onSend;
  }

  /** Runs the tasks and writes their changes. Does not reject: errors go to the tasks. */
  async run(): Promise<Ended> {
    return this.#guarded(this.#run());
  }

  async #guarded(work: Promise<Ended>): Promise<Ended> {
    try {
      return await work;
    } catch (error) {
      for (const task of this.#tasks) task.reject(error);
      return "again";
    }
  }

  async #run(): Promise<Ended> {
    const view = this.#view;
    const list = this.#list;
    const { instance } = list.terms;
    const { time } = instance;
    // The caller of a later task may know of a write that this round has not seen.
    const last = list.newest;
    const preparing = this.#prepare();
    if (!(preparing instanceof Promise ? await preparing : preparing)) return "again";
    const until = time.monotonic() + roundMs;
    for (let task = list.take(last); task; task = list.take(last)) {
      const playing = this.#play(task);
      if (playing instanceof Promise && !(await soon(playing, view, instance, this.#armAll))) {
        const ended = await this.#waitFor(task, playing);
        if (ended) return ended;
      }
      this.#settleEarly(task);
      if (this.#tasks.length >= list.most || view.used >= mostKeys || time.monotonic() >= until) break;
    }
    return this.#commit();
  }

  /**
   * Reads what the tasks are known to need. False if that failed: the first task, which would have read it, is
   * rejected.
   */
  #prepare(): boolean | Promise<boolean> {
    const list = this.#list;
    const { first } = list.tasks;
    const refuse = (error: unknown): false => {
      first?.reject(error);
      return false;
    };
    try {
      const reading = list.lately.length > 0 ? this.#readAgain() : first?.work.prepare?.(this.#view);
      return reading ? list.ask(reading).then(() => true, refuse) : true;
    } catch (error) {
      return refuse(error);
    }
  }

  async #readAgain(): Promise<void> {
    const { lately, terms } = this.#list;
    const { instance } = terms;
    const view = this.#view;
    const call = instance.ownCall();
    const reads = lately
      .filter((key) => !view.knows(key))
      .map(async (key) => {
        const reply = await instance.execute({ ops: [{ op: "get", key }] }, call);
        if (reply.ok) view.found(key, reply.results[0] as StoredRecord | undefined);
      });
    // A function that needs a record which could not be read here reads it itself, and gets the error.
    if (reads.length > 0) await Promise.allSettled(reads);
  }

  /** Lets the callers leave whose functions have run and that wait for the function of another task. */
  readonly #armAll = (): void => {
    for (const task of this.#tasks.slice(0, -1)) task.arm();
  };

  /** Runs the function of a task. What it produces is kept until the round is written. */
  #play(task: Task<unknown>): void | Promise<void> {
    const { instance, running } = this.#list.terms;
    const view = this.#view;
    const { revision } = view;
    const start = instance.time.monotonic();
    const end = (produced: Task<unknown>["produced"]): void => {
      task.produced = produced;
      task.wrote = view.revision !== revision;
      task.deadline += instance.time.monotonic() - start;
    };
    task.disarm();
    task.tries++;
    this.#tasks.push(task);
    try {
      running.assertLive();
      const made = task.play(view);
      if (made instanceof Promise)
        return made.then(
          (value) => end({ value }),
          (error: unknown) => end({ error }),
        );
      end({ value: made });
    } catch (error) {
      end({ error });
    }
    return undefined;
  }

  /** Settles a task at once if the write of the round cannot change its result. */
  #settleEarly(task: Task<unknown>): void {
    if (task.signal?.aborted) task.abort();
    else if (!task.wrote && this.#hasNothingToSend([task], this.#list.terms.joined)) task.settle();
    else return;
    if (!task.wrote) this.#tasks.pop();
  }

  /** Writes the other tasks while a slow function runs. Gives how the round ended if it cannot go on. */
  async #waitFor(task: Task<unknown>, playing: Promise<void>): Promise<Ended | undefined> {
    const list = this.#list;
    const before = this.#tasks.slice(0, -1);
    if (before.length > 0) {
      this.#tasks = before;
      const ended = await this.#commit(true);
      if (ended !== "done") {
        // The function has seen changes that were not written.
        void list.runApart(playing.then(() => list.retry(task)));
        return "apart";
      }
      this.#tasks = [task];
    }
    if (await within(playing, longestFunctionMs, list.terms.instance)) return undefined;
    void list.runApart(this.#guarded(playing.then(() => this.#commit())));
    return "apart";
  }

  /** Writes the changes of the tasks, and settles them. With `looking`, a slow function goes on with the view. */
  async #commit(looking = false): Promise<Ended> {
    const list = this.#list;
    const view = this.#view;
    const tasks = this.#tasks.filter((task) => !task.over);
    if (this.#tasks.some((task) => task.over && task.wrote)) return this.#retry(tasks, "again");
    if (tasks.length === 0) return this.#settle(tasks, looking);
    const { ops, covered } = view.operations();
    const { opened, protection } = list.terms;
    // A task that failed has nothing that could be committed with it.
    const joined = tasks.some(({ failed }) => failed) ? undefined : list.terms.joined;
    // Each task could be written by itself, but not all together.
    if ((tasks.length > 1 || looking) && refusalOf({ ops }, opened, list.backend, protection?.keys)) {
      list.most = Math.ceil(tasks.length / 2);
      return this.#retry(tasks, "again");
    }
    if (this.#hasNothingToSend(tasks, joined)) return this.#settle(tasks, looking);
    const write = new RoundWrite(list, tasks, this.#onSend);
    let group: Group;
    let reply: Reply;
    try {
      const own = (group = protection && ops.length > 0 ? protection.cover(ops, covered) : { ops });
      const sent = joined
        ? joined.commit(async (extra, call) => {
            checkGroup((group = together(own, extra)), opened, list.backend);
            return write.send(group, call);
          })
        : write.send(group, write.call());
      reply = sent instanceof Promise ? await list.ask(sent) : sent;
    } catch (error) {
      if (write.withdrawn) return this.#retry(tasks, "again");
      view.undo();
      for (const task of tasks) task.reject(write.failure(task, error));
      return "again";
    } finally {
      for (const task of tasks) task.sent = false;
    }
    if (reply.ok) return this.#settle(tasks, looking);
    const op = group.ops[reply.at];
    const key = op && "key" in op ? op.key : undefined;
    if (reply.why !== "conflict" || !key) {
      view.undo();
      for (const task of tasks) task.reject(write.fenced(task));
      return "again";
    }
    if (view.size === 1) view.changed(key, reply.current);
    const now = list.time.monotonic();
    for (const task of tasks) if (now >= task.triesUntil) task.reject(task.conflict());
    return this.#retry(tasks, "conflict");
  }

  /** Whether there is nothing to send for tasks. A lease is checked also where something was only read. */
  #hasNothingToSend(tasks: readonly Task<unknown>[], joined: Joined | undefined): boolean {
    const { plain, used } = this.#view;
    if (!plain || joined) return false;
    return used === 0 || !this.#list.terms.protection || tasks.every(({ failed }) => failed);
  }

  #settle(tasks: readonly Task<unknown>[], looking: boolean): Ended {
    this.#view.wrote(looking);
    for (const task of tasks) task.settle();
    return "done";
  }

  #retry(tasks: readonly Task<unknown>[], ended: Ended): Ended {
    if (ended === "again") this.#view.undo();
    for (const task of tasks.toReversed()) this.#list.retry(task);
    return ended;
  }
}

function together(one: Group, other: Group): Group {
  return { ops: [...one.ops, ...other.ops], guards: [...(one.guards ?? []), ...(other.guards ?? [])] };
}
