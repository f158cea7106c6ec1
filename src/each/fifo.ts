/** A queue without the cost of `Array.shift`. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  at(i: number): T {
    return this.#items[this.#head + i] as T;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first one. Only where there is one. */
  shift(): T {
    const item = this.#items[this.#head++] as T;
    if (this.#head > 512 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
