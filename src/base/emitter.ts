/** A small typed emitter: a listener that throws does not stop the others, its error goes to `onError`. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void = reportLater) {
    this.#onError = onError;
  }

  /** Calls `listener` for each event of that name until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    let set = this.#listeners.get(name);
    if (!set) this.#listeners.set(name, (set = new Set()));
    // A wrapper of its own, so that one function added twice is two subscriptions.
    const own = (event: Events[Name]) => listener(event);
    set.add(own);
    return () => {
      set.delete(own);
    };
  }

  /** Whether anybody listens, so that an event need not be made for nobody. */
  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** Calls every listener of `name`, in the order they were added. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const set = this.#listeners.get(name);
    if (!set) return;
    for (const listener of [...set]) {
      try {
        listener(event as never);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

/** A listener's error is the application's bug: it surfaces as an uncaught exception, outside of our own call. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
