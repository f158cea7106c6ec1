const mark = "left out: ";

/** Why a test is skipped that was left out for its time and is proved elsewhere, in the words by which the summary knows it. */
export function leftOut(why: string): string {
  return `${mark}${why}`;
}

/** Whether a test was skipped for that. */
export function isLeftOut(skip: unknown): boolean {
  return typeof skip === "string" && skip.startsWith(mark);
}
