import { keyId, type Key } from "../../base/keys.ts";
import type { ExecuteCall, Group, Operation, Outcome } from "../../port/index.ts";
import type { Alarm, Due } from "../common/alarm.ts";
import { givenUp, maybeSent, notSent } from "../common/failures.ts";
import { lateError } from "./store-error.ts";

/** The groups of one `execute`: they end by their outcome or at the deadline, whichever is sooner. */
export class Call implements Due {
  readonly deadline: number;
  place: number | undefined;
  readonly backend: string;
  readonly tasks: readonly Task[];
  readonly #call: ExecuteCall;
  readonly #alarm: Alarm<Call>;
  readonly #settle: (outcomes: readonly Outcome[]) => void;
  #left: number;

  constructor(
    { groups, session, backend }: { groups: readonly Group[]; session: string; backend: string },
    call: ExecuteCall,
    alarm: Alarm<Call>,
    settle: (outcomes: readonly Outcome[]) => void,
  ) {
    this.deadline = call.deadline;
    this.backend = backend;
    this.#call = call;
    this.#alarm = alarm;
    this.#settle = settle;
    this.tasks = groups.map((group, i) => new Task(this, i, group, session));
    this.#left = groups.length;
    if (groups.length === 0) settle([]);
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

  /** The deadline has come. */
  expire(): void {
    for (const task of this.tasks) task.fail(lateError(this.backend));
  }
}

/** One group on its way. */
export class Task {
  readonly group: Group;
  readonly session: string;
  /** The cells that it is about: those that it may change, and those that are only compared. */
  readonly cells: readonly string[];
  readonly changes: readonly string[];
  readonly compares: readonly string[];
  /** Whether it may write. */
  readonly writes: boolean;
  /** Whether what it does lets others go on, or ends with its time: it goes before those who ask for something. */
  urgent: boolean;
  /** Cells that were found to be needed besides: stamps. */
  more: readonly string[] = [];
  /** How often what it was decided on had changed. */
  tries = 0;
  /** How often one of its cells was taken. */
  waits = 0;
  outcome: Outcome | undefined;
  /** Whether a write of it is under way, whose fate is not known. */
  sent = false;
  readonly #call: Call;
  readonly #i: number;
  #claimed = false;

  constructor(call: Call, i: number, group: Group, session: string) {
    this.#call = call;
    this.#i = i;
    this.group = ownCopy(group);
    this.session = session;
    this.cells = cellsOf(group);
    this.writes = group.ops.some(mayWrite);
    this.changes = this.writes && this.cells.length > 1 ? changedBy(group) : this.cells;
    this.compares =
      this.changes.length < this.cells.length ? this.cells.filter((cell) => !this.changes.includes(cell)) : none;
    this.urgent = group.ops.some(({ op }) => op === "release" || op === "extend" || op === "steal");
  }

  get deadline(): number {
    return this.#call.deadline;
  }

  /** Whether it gives something an end that is counted from now on. */
  get arms(): boolean {
    return this.group.ops.some(arms);
  }

  /** The space of what it is about first. */
  get space(): string {
    return keyOf(this.group.ops[0] as Operation).space.id;
  }

  /**
   * Whether somebody still waits for it. Asked right before each decision, which is answered or sent at once: nothing
   * that was said to be unsent is ever sent.
   */
  isWanted(now: number): boolean {
    if (this.outcome) return false;
    const { backend } = this.#call;
    if (now >= this.deadline) this.fail(lateError(backend));
    else if (this.#claimed || (this.#claimed = this.#call.claims(this.#i))) return true;
    else this.settle(givenUp(backend));
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

const none: readonly string[] = [];

function changedBy({ ops }: Group): readonly string[] {
  return [...new Set(ops.filter(mayWrite).map((op) => keyId(keyOf(op))))];
}

function mayWrite({ op }: Operation): boolean {
  // An `inspect` passes on a lock whose holder has gone.
  return op !== "get" && op !== "check";
}

function arms(op: Operation): boolean {
  if (op.op === "release") return op.markMs !== undefined;
  return op.op === "acquire" || op.op === "extend" || op.op === "floor" || ("ttl" in op && typeof op.ttl === "number");
}

function keyOf(op: Operation): Key {
  return "key" in op ? op.key : op.lock;
}

/** The cells of a group, each once. */
function cellsOf({ guards, ops }: Group): readonly string[] {
  const [first] = ops;
  if (ops.length === 1 && first && !guards?.length) return [keyId(keyOf(first))];
  const cells = new Set<string>();
  for (const { lock } of guards ?? []) cells.add(keyId(lock));
  for (const op of ops) cells.add(keyId(keyOf(op)));
  return [...cells];
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
