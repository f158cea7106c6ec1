import { LoadDeadlockError } from "../base/errors.ts";
import { insideOf } from "../client/index.ts";

/**
 * A load in the graph of who waits for whom: all loads of this process, of whatever cache. An edge goes from a load
 * whose loader runs to one that this loader asked for, and stands for as long as that waits; so the graph holds what is
 * waited for now, and no more. A call that a loader makes and does not await counts as one that it waits for, until it
 * ends or is aborted.
 */
export class LoadNode {
  /** The cache's name, and the load's keys. */
  readonly #cache: string;
  readonly #keys: readonly string[];
  /** What its loader waits for, and how many times over. Made when there is something. */
  #waitsFor: Map<LoadNode, number> | undefined;
  /** Its loader has ended, and waits for nothing. */
  #over = false;

  constructor(cache: string, keys: readonly string[]) {
    this.#cache = cache;
    this.#keys = keys;
  }

  /** Its loader has ended, or is waited for no longer. */
  end(): void {
    this.#over = true;
  }

  /** Throws LoadDeadlockError where the code that runs now is a loader's that this load waits for. */
  refuseRing(key: string): void {
    const asking = LoadNode.#asking();
    const ring = asking && pathTo(asking, this);
    if (!ring) return;
    const names = [asking, ...ring].map((load) => load.#name());
    throw new LoadDeadlockError(`a loader waits for itself: ${names.join(" -> ")}`, { key, ring: names });
  }

  /**
   * The code that runs now is about to wait for this load; the returned function says that it no longer does. Undefined
   * where it is no loader's. Throws as {@link refuseRing}.
   */
  join(key: string): (() => void) | undefined {
    const asking = LoadNode.#asking();
    if (!asking) return undefined;
    this.refuseRing(key);
    const edges = (asking.#waitsFor ??= new Map<LoadNode, number>());
    edges.set(this, (edges.get(this) ?? 0) + 1);
    return () => {
      const left = (edges.get(this) ?? 0) - 1;
      if (left > 0) edges.set(this, left);
      else edges.delete(this);
    };
  }

  /** What it waits for. */
  next(): Iterable<LoadNode> {
    return this.#over || !this.#waitsFor ? [] : this.#waitsFor.keys();
  }

  /** The load whose loader this is called from inside of, while it runs. */
  static #asking(): LoadNode | undefined {
    for (let run = insideOf(); run; run = run.outer) {
      if (run.subject instanceof LoadNode) return run.subject.#over ? undefined : run.subject;
    }
    return undefined;
  }

  #name(): string {
    const [first = ""] = this.#keys;
    const others = this.#keys.length > 1 ? ` and ${this.#keys.length - 1} more` : "";
    return `${this.#cache} ${JSON.stringify(first)}${others}`;
  }
}

/** The way from a load to another along what each waits for, both ends included; looks at each load once. */
function pathTo(to: LoadNode, from: LoadNode): readonly LoadNode[] | undefined {
  const before = new Map<LoadNode, LoadNode | undefined>([[from, undefined]]);
  for (const load of before.keys()) {
    if (load === to) {
      const path: LoadNode[] = [];
      for (let step: LoadNode | undefined = load; step; step = before.get(step)) path.push(step);
      return path.toReversed();
    }
    for (const next of load.next()) if (!before.has(next)) before.set(next, load);
  }
  return undefined;
}
