/** Whether `await` would wait for it. */
export function isThenable<R>(value: R | PromiseLike<R>): value is PromiseLike<R> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** `fn` of all items. It is a promise only if one of the results is. Of several failures the first one counts. */
export function whenAll<Item, R>(
  items: Iterable<Item>,
  fn: (item: Item) => R | Promise<R>,
): readonly R[] | Promise<readonly R[]> {
  const results: (R | Promise<R>)[] = [];
  let late = false;
  for (const item of items) {
    try {
      const result = fn(item);
      late ||= result instanceof Promise;
      results.push(result);
    } catch (error) {
      if (!late) throw error;
      // The others are awaited as well: none may reject unhandled.
      results.push(failure(error));
    }
  }
  return late ? Promise.all(results) : (results as readonly R[]);
}

async function failure(error: unknown): Promise<never> {
  throw error;
}
