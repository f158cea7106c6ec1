import type { ExecuteCall, Group, Operation, Outcome } from "../../port/index.ts";
import type { Alarm, Due } from "./alarm.ts";
import { givenUp, lateError, maybeSent, notSent } from "./failures.ts";

/** Makes the task of group `i`. */
export type MakeTask<T extends Task> = (call: TaskCall, i: number, group: Group) => T;

/** What a task knows of its call. */
export interface TaskCall {
  readonly backend: string;
  readonly session: string;
  readonly deadline: number;
  /** What it is told at its deadline. */
  late(): Error;
  claims(i: number): boolean;
  settled(i: number, outcome: Outcome): void;
}

/** The groups of one `execute`: they end by their outcome or at the deadline, whichever is sooner. */
export class Call<T extends Task> implements Due, TaskCall {
  readonly deadline: number;
  place: number | undefined;
  readonly backend: string;
  readonly session: string;
  readonly tasks: readonly T[];
  readonly #call: ExecuteCall;
  readonly #alarm: Alarm<Call<T>>;
  readonly #settle: (outcomes: readonly Outcome[]) => void;
  /** Says more than that it is late, where more is known. */
  readonly #late: (() => Error) | undefined;
  #left: number;

  constructor(
    of: { groups: readonly Group[]; session: string; backend: string; late?: () => Error; make: MakeTask<T> },
    call: ExecuteCall,
    alarm: Alarm<Call<T>>,
    settle: (outcomes: readonly Outcome[]) => void,
  ) {
    this.#late = of.late;
    this.deadline = call.deadline;
    this.backend = of.backend;
    this.session = of.session;
    this.#call = call;
    this.#alarm = alarm;
    this.#settle = settle;
    this.tasks = of.groups.map((group, i) => of.make(this, i, group));
    this.#left = of.groups.length;
    if (of.groups.length === 0) settle([]);
    else alarm.add(this);
  }

  claims(i: number): boolean {
    return this.#call.claim(i);
  }

  settled(i: number, outcome: Outcome): void {
    if (--this.#left > 0) return this.#call.settled?.(i, outcome);
    this.#alarm.delete(this);
    this.#settle(this.tasks.map((task) => task.outcome as Outcome));
  }

  late(): Error {
    return this.#late?.() ?? lateError(this.backend);
  }

  /** The deadline has come. */
  expire(): void {
    const why = this.late();
    for (const task of this.tasks) task.fail(why);
  }
}

/** One group on its way. */
export class Task {
  readonly group: Group;
  readonly session: string;
  outcome: Outcome | undefined;
  /** Whether a write of it is under way, whose fate is not known. */
  sent = false;
  readonly #call: TaskCall;
  readonly #i: number;
  #claimed = false;

  constructor(call: TaskCall, i: number, group: Group) {
    this.#call = call;
    this.#i = i;
    this.group = ownCopy(group);
    this.session = call.session;
  }

  get deadline(): number {
    return this.#call.deadline;
  }

  /** What its call is told at the deadline. */
  late(): Error {
    return this.#call.late();
  }

  /**
   * Whether somebody still waits for it. Asked right before each decision, which is answered or sent at once: nothing
   * that was said to be unsent is ever sent.
   */
  isWanted(now: number): boolean {
    if (this.outcome) return false;
    if (now >= this.deadline) this.fail(this.late());
    else if (this.#claimed || (this.#claimed = this.#call.claims(this.#i))) return true;
    else this.settle(givenUp(this.#call.backend));
    return false;
  }

  settle(outcome: Outcome): void {
    if (this.outcome) return;
    this.outcome = outcome;
    this.#call.settled(this.#i, outcome);
  }

  fail(error: Error, sent = this.sent): void {
    this.settle(sent ? maybeSent(error) : notSent(error));
  }
}

/** The caller may change its bytes while the group waits. */
function ownCopy(group: Group): Group {
  const isBytes = (op: Operation): boolean => op.op === "set" && typeof op.value !== "string";
  if (!group.ops.some(isBytes)) return group;
  return {
    guards: group.guards,
    ops: group.ops.map((op) => (op.op === "set" && isBytes(op) ? { ...op, value: copyOf(op.value) } : op)),
  };
}

function copyOf(value: string | Uint8Array): string | Uint8Array {
  return typeof value === "string" ? value : new Uint8Array(value);
}
