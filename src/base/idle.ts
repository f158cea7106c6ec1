/** So many are kept. */
const mostIdle = 32;

/** What can be in an {@link Idle}. */
export interface Idling {
  /** Kept by the one that it is in. */
  idle: boolean;
}

/**
 * What nobody needs at the moment and is kept all the same, for it is likely needed again. Those in it may be in use
 * meanwhile.
 */
export class Idle<T extends Idling> {
  /** The oldest first. */
  readonly #items: T[] = [];

  /** Keeps one; gives the one that was kept longest if they are too many. */
  keep(item: T): T | undefined {
    if (item.idle) return undefined;
    item.idle = true;
    if (this.#items.push(item) <= mostIdle) return undefined;
    const oldest = this.#items.shift() as T;
    oldest.idle = false;
    return oldest;
  }
}
