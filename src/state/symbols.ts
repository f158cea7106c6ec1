declare const verdict: unique symbol;

/**
 * The type of {@link KEEP} and {@link REMOVE}. It is no `unique symbol`: with that, `async () => REMOVE` would give a
 * promise of any symbol.
 */
export type Verdict = symbol & { readonly [verdict]: true };

/** What the function of `update` or `upsert` returns to leave the entry as it is: nothing is written. */
export const KEEP = Symbol.for("holdfast.keep") as Verdict;

/** What the function of `update` or `upsert` returns to delete the entry. */
export const REMOVE = Symbol.for("holdfast.remove") as Verdict;
