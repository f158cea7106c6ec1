import { isHoldfastError } from "../../base/errors.ts";
import { pauseFor, type Time } from "../../base/time.ts";
import { RedisFailure } from "./router.ts";

/** How long after a lost connection it is read again, in ms. */
const pause = 25;

/**
 * What `read` gives, which changes nothing: where its connection was lost, or has not come back yet, it is called
 * again until the deadline. Rejects as `read` does.
 */
export async function persist<T>(read: () => Promise<T>, deadline: number, time: Time): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!isLost(error) || time.monotonic() + pause >= deadline) throw error;
    }
    await pauseFor(time, pause);
  }
}

/** Whether no server has replied; of a group the cause tells. */
function isLost(error: unknown): boolean {
  const failure = isHoldfastError(error) ? error.cause : error;
  return failure instanceof RedisFailure && failure.reply === undefined;
}
