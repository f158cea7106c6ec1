/** For how long a grant is handed on, and after how long who waits has to ask again to keep its place, in ms. */
const asksMs = 1_000;

/**
 * Runs an attempt, each with a key of its own, until one was not disturbed: where the process, or its store, stood
 * still for longer, the lock went to the store in between, and who waited may have lost its place.
 */
export async function undisturbed(attempt: (key: string) => Promise<void>): Promise<void> {
  for (let i = 1; ; i++) {
    const begun = performance.now();
    try {
      return await attempt(`k${i}`);
    } catch (error) {
      if (i === 10 || performance.now() - begun < asksMs) throw error;
    }
  }
}
