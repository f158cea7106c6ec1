import type { Run } from "./context.ts";
import type { Handler } from "./types.ts";

/** An item's handler had not settled in time. */
class ItemTimeoutError extends Error {
  override readonly name = "ItemTimeoutError";
}

/**
 * Calls a handler, and then `complete`, once: when it has settled and its calls on `ctx.state` too, or when its time is over. What
 * went wrong is the run's failure.
 */
export function callHandler(
  handler: Handler,
  value: unknown,
  run: Run,
  timeoutMs: number | undefined,
  complete: () => void,
): void {
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const error = new ItemTimeoutError(`the handler had not settled after ${timeoutMs / 1000} s`);
          run.cut(error);
          threw(error);
        }, timeoutMs);
  const end = (): void => {
    if (run.over) return; // its time was over before
    clearTimeout(timer);
    complete();
  };
  const threw = (error: unknown): void => {
    run.failure ??= error ?? new Error("the handler failed without an error");
    end();
  };
  // Calls that the handler did not wait for are the item's all the same.
  const returned = (): void => run.afterCalls(end);
  try {
    const result = handler(value, run);
    if (isThenable(result)) return void result.then(returned, threw);
  } catch (error) {
    return threw(error);
  }
  returned();
}

function isThenable(result: unknown): result is PromiseLike<unknown> {
  return (
    typeof result === "object" &&
    result !== null &&
    typeof (result as Partial<PromiseLike<unknown>>).then === "function"
  );
}
