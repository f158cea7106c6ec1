import type { Time, Timer } from "../../base/time.ts";

/** By when something must be over. */
export interface Limit {
  readonly time: Time;
  /** By `time.monotonic()`. */
  readonly deadline: number;
  /** What a wait that is too long is rejected with. */
  late(): Error;
  /** Whether the process stays alive meanwhile. Default: it does not. */
  readonly ref?: boolean | undefined;
}

/**
 * `work`, or a rejection with `late()` once the deadline has passed; what becomes of the work then is not looked at.
 */
export async function before<T>(work: Promise<T>, { time, deadline, late, ref = false }: Limit): Promise<T> {
  let timer: Timer | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = time.after(deadline - time.monotonic(), () => reject(late()), { ref });
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    timer?.clear();
  }
}
