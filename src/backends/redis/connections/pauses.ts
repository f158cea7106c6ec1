/** Pauses between attempts: the first comes at once, then they double up to the longest. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** How long to wait before a connection is tried for the so-manieth time in a row. */
export function pauseBefore(attempt: number): number {
  const longest = attempt === 0 ? FIRST_PAUSE_MS : Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
  return longest * (0.5 + Math.random() / 2);
}
