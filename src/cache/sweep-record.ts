/** How far a sweep is: what its record in the store says. */
export type SweepState =
  /**
   * One is under way. `by` is who makes it, "" for nobody: it was handed on. `due` is the id of the mark that it
   * answers, if there was one; `cursor` is where it is, absent at its beginning.
   */
  | {
      readonly state: "running";
      readonly by: string;
      readonly due?: string | undefined;
      readonly cursor?: string | undefined;
    }
  /** The last one ended at that moment, in ms since 1970. */
  | { readonly state: "done"; readonly at: number };

export function writeSweep(sweep: SweepState): string {
  return JSON.stringify(sweep);
}

/** Undefined for what is none: then nothing is known, and the record is written anew. */
export function readSweep(text: unknown): SweepState | undefined {
  if (typeof text !== "string") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { state, by, due, cursor, at } = value as Record<string, unknown>;
  if (state === "done" && typeof at === "number") return { state, at };
  if (state !== "running" || typeof by !== "string" || !isText(due) || !isText(cursor)) return undefined;
  return { state, by, due, cursor };
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
