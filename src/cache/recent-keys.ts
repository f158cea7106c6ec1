/** Keys in the order of their last use, at most so many. */
export class RecentKeys {
  readonly #keys = new Set<string>();
  /** Stands at the oldest: what it passed has gone. A new one would step over all the gaps before it. */
  readonly #oldest = this.#keys.values();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a use; gives the key that has to go for it, if one has. */
  use(key: string): string | undefined {
    if (this.#keys.delete(key)) {
      this.#keys.add(key);
      return undefined;
    }
    this.#keys.add(key);
    if (this.#keys.size <= this.#max) return undefined;
    const oldest = this.#oldest.next().value as string;
    this.#keys.delete(oldest);
    return oldest;
  }

  delete(key: string): void {
    this.#keys.delete(key);
  }
}
