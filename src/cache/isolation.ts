/** What keeps callers from changing each other's values. */
export type Isolate = "freeze" | "clone" | "reference";

/** A value for several callers: each takes it as `isolate` says. */
export interface Handout<V> {
  take(): V;
}

/** Hands out one value to all. */
export function shared<V>(value: V): Handout<V> {
  return { take: () => value };
}

/** Hands out what `decode` makes, which it must make anew at each call. Throws what it throws. */
export function isolated<V>(isolate: Isolate, decode: () => V): Handout<V> {
  const value = decode();
  if (isolate === "reference") return shared(value);
  if (isolate === "freeze" && freeze(value)) return shared(value);
  // A freeze that met something it could not freeze has frozen the rest already: that copy is nobody's.
  let first: { readonly value: V } | undefined = isolate === "clone" ? { value } : undefined;
  return {
    take() {
      const own = first ? first.value : decode();
      first = undefined;
      return own;
    },
  };
}

/** Freezes plain objects and arrays, all the way down; false if there is anything else in it that can change. */
function freeze(root: unknown): boolean {
  if (typeof root !== "object" || root === null) return typeof root !== "function";
  const seen = new Set<object>([root]);
  for (const node of seen) {
    const prototype: unknown = Object.getPrototypeOf(node);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return false;
    Object.freeze(node);
    for (const value of Object.values(node) as unknown[]) {
      if (typeof value === "function") return false;
      if (typeof value === "object" && value !== null) seen.add(value);
    }
  }
  return true;
}
