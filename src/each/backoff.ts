/** Longest wait before a retry, in ms. */
const longest = 60_000;

/** Items that wait before they are tried again. */
export class Backoff {
  readonly #firstMs: number;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(firstMs: number) {
    this.#firstMs = firstMs;
  }

  /** Calls back when an item may be tried again that has failed so often. */
  wait(failures: number, then: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        then();
      },
      Math.min(this.#firstMs * 2 ** (failures - 1), longest),
    );
    this.#timers.add(timer);
  }

  /** Nobody waits any more. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
