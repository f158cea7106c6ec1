/** What can be in a {@link LinkedList}: one at a time. */
export interface Linked<T> {
  /** Kept by the list that it is in. */
  previous: T | undefined;
  /** Kept by the list that it is in. */
  next: T | undefined;
}

/** A list from which anything leaves at the same cost, wherever it stands. */
export class LinkedList<T extends Linked<T>> {
  first: T | undefined;
  size = 0;
  #last: T | undefined;

  append(item: T): void {
    item.previous = this.#last;
    if (this.#last) this.#last.next = item;
    else this.first = item;
    this.#last = item;
    this.size++;
  }

  /** Puts an item before all others. */
  prepend(item: T): void {
    item.next = this.first;
    if (this.first) this.first.previous = item;
    else this.#last = item;
    this.first = item;
    this.size++;
  }

  /** Takes out an item that is in it. */
  remove(item: T): void {
    const { previous, next } = item;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    // One that has grown old would keep all that came after it alive, until the whole heap is collected.
    item.previous = undefined;
    item.next = undefined;
    this.size--;
  }

  /** What is in it now, for a loop that changes it. */
  toArray(): T[] {
    const items: T[] = [];
    for (let item = this.first; item; item = item.next) items.push(item);
    return items;
  }
}
