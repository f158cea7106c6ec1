/**
 * The promises of a case's calls. A case may hold one for a while before it awaits it. Where it fails meanwhile, nobody
 * awaits the promise any more, and its rejection would be counted against another case or end the process.
 */
export class Calls {
  readonly #promises: Promise<unknown>[] = [];

  /** Keeps a promise, and gives it back. */
  keep<T>(promise: Promise<T>): Promise<T> {
    this.#promises.push(promise);
    return promise;
  }

  /** The same object, whose methods' promises are kept; so are those of the objects that it gives by `parts`. */
  watch<T extends object>(target: T, parts: readonly string[] = []): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value === "function") {
          return (...args: readonly unknown[]): unknown => {
            const result: unknown = Reflect.apply(value, target, args);
            if (result instanceof Promise) return this.keep(result);
            return parts.includes(String(name)) ? this.watch(result as object, parts) : result;
          };
        }
        return parts.includes(String(name)) ? this.watch(value as object, parts) : value;
      },
    });
  }

  /** The case has failed: what becomes of its calls is nobody's concern any more. */
  abandon(): void {
    for (const promise of this.#promises) promise.catch(() => undefined); // the case's own error tells why it failed
  }
}
