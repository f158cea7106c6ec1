import { delay } from "./delay.ts";

/** A process that was lost, and how. */
export interface LostProcess {
  readonly by: string;
  readonly how: string;
}

/** How many are remembered, and how long one is waited for that must come, in ms. */
const mostKept = 64;
const patience = 2_000;
const looking = 10;

/** What became of worker processes that were lost, as their parent tells. */
export class Causes {
  readonly #known = new Map<string, string>();

  tell({ by, how }: LostProcess): void {
    this.#known.set(by, how);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKept) break;
      this.#known.delete(oldest);
    }
  }

  /** All that is known, oldest first. */
  all(): LostProcess[] {
    return Array.from(this.#known, ([by, how]) => ({ by, how }));
  }

  /** What became of a process that has ended; its parent learns of that about now. Undefined if nobody tells. */
  async of(by: string): Promise<string | undefined> {
    for (const end = performance.now() + patience; !this.#known.has(by) && performance.now() < end;)
      await delay(looking);
    return this.#known.get(by);
  }
}
