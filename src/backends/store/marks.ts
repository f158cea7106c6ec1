import type { Task } from "./call.ts";

/** After so many times that one of its cells was taken, a group no longer waits for them to be free all at once. */
const mostWaits = 8;

/**
 * Which cells the attempts under way change or compare, so that a process is not in its own way. Only politeness:
 * what two attempts do to one cell is told apart by the store.
 */
export class Marks {
  /** -1 for one that changes it, else how many compare it. */
  readonly #marks = new Map<string, number>();
  readonly #waiting = new Map<string, Task[]>();

  /** Marks the cells of a group, or has it wait for the first that is taken. */
  take(task: Task): "held" | "waits" | "free" {
    const taken =
      task.changes.find((cell) => this.#marks.has(cell)) ?? task.compares.find((cell) => this.#marks.get(cell) === -1);
    if (taken !== undefined) {
      if (++task.waits > mostWaits) return "free";
      const waiting = this.#waiting.get(taken);
      if (waiting) waiting.push(task);
      else this.#waiting.set(taken, [task]);
      return "waits";
    }
    for (const cell of task.changes) this.#marks.set(cell, -1);
    for (const cell of task.compares) this.#marks.set(cell, (this.#marks.get(cell) ?? 0) + 1);
    return "held";
  }

  /** The cells of a group that was held are free; who waited for one of them. */
  free(task: Task): readonly Task[] {
    const freed = [...task.changes];
    for (const cell of task.changes) this.#marks.delete(cell);
    for (const cell of task.compares) {
      const left = (this.#marks.get(cell) ?? 1) - 1;
      if (left > 0) this.#marks.set(cell, left);
      else {
        this.#marks.delete(cell);
        freed.push(cell);
      }
    }
    const next: Task[] = [];
    for (const cell of freed) {
      const waiting = this.#waiting.get(cell);
      if (!waiting) continue;
      this.#waiting.delete(cell);
      for (const one of waiting) if (!one.outcome) next.push(one);
    }
    return next;
  }
}
