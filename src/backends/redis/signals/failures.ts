import {
  IndeterminateError,
  isHoldfastError,
  UnavailableError,
  UnsupportedError,
  type HoldfastError,
} from "../../../base/errors.ts";
import { RedisFailure } from "../router.ts";

const context = { backend: "redis" } as const;

/** Whether the server refuses the command to this user, or does not have it: asking again is of no use. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof RedisFailure) || error.reply === undefined) return false;
  return error.reply === "NOPERM" || /unknown (sub)?command/iu.test(error.message);
}

/** What a failure means to one who subscribes: nothing was changed. */
export function subscribeError(error: unknown, name: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (isForbidden(error)) {
    return new UnsupportedError(
      `the server's user may not subscribe to ${name}: an ACL must allow the commands (P)SUBSCRIBE and the channel`,
      { ...context, cause: error },
    );
  }
  return new UnavailableError("the server did not confirm the subscription", { ...context, cause: error });
}

/** What a failure means to one who publishes; `sent`: the server may have the message. */
export function publishError(error: unknown, sent: boolean): HoldfastError {
  if (isForbidden(error)) {
    return new UnsupportedError(
      "the server's user may not publish: an ACL must allow the command PUBLISH and the channel",
      { ...context, cause: error },
    );
  }
  if (error instanceof RedisFailure ? error.sent : sent) {
    return new IndeterminateError("the message was sent, and no reply came: it may have been told", {
      ...context,
      cause: error,
    });
  }
  if (isHoldfastError(error)) return error;
  return new UnavailableError("the message could not be sent", { ...context, cause: error });
}
