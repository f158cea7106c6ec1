/** What the function of `update` or `upsert` returns to leave the entry as it is: nothing is written. */
export const KEEP: unique symbol = Symbol.for("holdfast.keep");

/** What the function of `update` or `upsert` returns to delete the entry. */
export const REMOVE: unique symbol = Symbol.for("holdfast.remove");

/** What an update may return instead of a value. */
export type Verdict = typeof KEEP | typeof REMOVE;
