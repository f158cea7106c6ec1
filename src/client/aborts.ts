/** Something that a signal may end. */
export interface Abortable {
  readonly signal: AbortSignal | undefined;
  abort(): void;
}

interface Watch {
  readonly items: Set<Abortable>;
  readonly listener: () => void;
}

/**
 * The calls that signals may end. One listener a signal, however many calls: adding one to a signal takes longer the more it
 * has, so that ten thousand calls on one would block the process for half a second.
 */
export class Aborts {
  readonly #watches = new Map<AbortSignal, Watch>();

  add(item: Abortable): void {
    const { signal } = item;
    if (!signal) return;
    const watch = this.#watches.get(signal) ?? this.#watch(signal);
    watch.items.add(item);
  }

  delete(item: Abortable): void {
    const { signal } = item;
    const watch = signal && this.#watches.get(signal);
    if (!watch || !watch.items.delete(item) || watch.items.size > 0) return;
    this.#watches.delete(signal);
    signal.removeEventListener("abort", watch.listener);
  }

  #watch(signal: AbortSignal): Watch {
    const items = new Set<Abortable>();
    const listener = (): void => {
      // What is taken back by one of them is not told any more.
      for (const item of items) item.abort();
      this.#watches.delete(signal);
    };
    const watch = { items, listener };
    this.#watches.set(signal, watch);
    signal.addEventListener("abort", listener, { once: true });
    return watch;
  }
}
