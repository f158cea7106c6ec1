import type { Commit } from "./commit.ts";
import { stopPrefix, type StoppedKey } from "./layout.ts";
import { Pass, type Interest, type PassTerms } from "./pass.ts";
import { addCounts, type PartitionProgress, type Position } from "./progress.ts";
import type { Advance } from "./send.ts";

/** Stopped keys of a partition that are kept in memory. Where they are more, the store is asked. */
const mostKept = 2_000;

/** The way through the input. */
export class FirstPass extends Pass {
  readonly from: Position;
  readonly until = Infinity;
  readonly mostItems = 1024;
  readonly isLast = true;
  readonly #stopped = new Set<string>();
  /** No other key is stopped. */
  #complete = true;

  private constructor(terms: PassTerms, progress: PartitionProgress) {
    super(terms, progress);
    this.from = progress.next;
  }

  static async start(terms: PassTerms, progress: PartitionProgress): Promise<FirstPass> {
    const pass = new FirstPass(terms, progress);
    const { dead, waiting } = progress.counts;
    // To list them is a search through everything that some stores hold: only where there are any.
    if (dead === 0 && waiting === 0) return pass;
    for await (const { value } of terms.store.list({ prefix: stopPrefix(terms.partition) })) {
      pass.stop((value as StoppedKey).key);
      if (!pass.#complete) break;
    }
    return pass;
  }

  interest(id: number): Interest {
    return this.reader.has(id) ? "ended" : "take";
  }

  advance(
    last: PartitionProgress,
    commit: Commit,
    mark: () => Pick<PartitionProgress, "next" | "above" | "end">,
  ): Advance {
    const dead = commit.deaths.length;
    const waiting = commit.passed.size;
    const counts = addCounts(last.counts, { done: commit.items.length - dead - waiting, dead, waiting });
    const steps = commit.deaths.flatMap((death) => this.recordsOf(death));
    return { progress: { ...mark(), counts, round: last.round }, steps };
  }

  isThrough({ end }: PartitionProgress): boolean {
    return end;
  }

  finish(last: PartitionProgress): Advance {
    return { progress: last, steps: [] };
  }

  protected stops(): boolean {
    return this.terms.onDead === "stop-key";
  }

  protected isStopped(key: string): boolean | undefined {
    return this.#stopped.has(key) || (this.#complete ? false : undefined);
  }

  protected stop(key: string): void {
    if (this.#stopped.size < mostKept) this.#stopped.add(key);
    else this.#complete = false;
  }
}
