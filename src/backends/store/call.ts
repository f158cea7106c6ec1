import { keyId, type Key } from "../../base/keys.ts";
import type { Group, Operation } from "../../port/index.ts";
import { Task as CommonTask, type TaskCall } from "../common/call.ts";

/** One group on its way, and the cells that it is about. */
export class Task extends CommonTask {
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

  constructor(call: TaskCall, i: number, group: Group) {
    super(call, i, group);
    this.cells = cellsOf(group);
    this.writes = group.ops.some(mayWrite);
    this.changes = this.writes && this.cells.length > 1 ? changedBy(group) : this.cells;
    this.compares =
      this.changes.length < this.cells.length ? this.cells.filter((cell) => !this.changes.includes(cell)) : none;
    this.urgent = group.ops.some(({ op }) => op === "release" || op === "extend" || op === "steal");
  }

  /** Whether it gives something an end that is counted from now on. */
  get arms(): boolean {
    return this.group.ops.some(arms);
  }

  /** Whether what is there does not matter to it: a write without a condition that keeps nothing. */
  get isBlind(): boolean {
    const { guards, ops } = this.group;
    const [op] = ops;
    return ops.length === 1 && !guards?.length && op?.op === "set" && op.if === undefined && op.ttl !== "keep";
  }

  /** The space of what it is about first. */
  get space(): string {
    return keyOf(this.group.ops[0] as Operation).space.id;
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
