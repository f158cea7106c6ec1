import { channel } from "node:diagnostics_channel";
import { isHoldfastError, type ErrorCode } from "../base/errors.ts";

/** Published on `holdfast:state`, `holdfast:cache` and `holdfast:lock` after each call of the public API. */
export interface OperationMessage {
  /** The method, such as `"save"`. */
  readonly operation: string;
  /** The name of the store, cache or lock. */
  readonly name: string;
  readonly service: string;
  readonly backend: string;
  readonly durationMs: number;
  /** `"ok"`, the code of a HoldfastError, or `"error"` for an error of the application's own function or signal. */
  readonly outcome: "ok" | ErrorCode | "error";
}

/** Who made a call. */
export interface Source {
  readonly name: string;
  readonly service: string;
  readonly backend: string;
}

/** One channel of `node:diagnostics_channel`. Costs one property read where nobody listens. */
export class Diagnostics {
  readonly #channel;

  constructor(feature: "state" | "cache" | "lock") {
    this.#channel = channel(`holdfast:${feature}`);
  }

  /** Runs `fn`, and publishes its message if somebody listens. */
  async observe<T>(source: Source, operation: string, fn: () => Promise<T>): Promise<T> {
    if (!this.#channel.hasSubscribers) return fn();
    const start = performance.now();
    let outcome: OperationMessage["outcome"] = "ok";
    try {
      return await fn();
    } catch (error) {
      outcome = isHoldfastError(error) ? error.code : "error";
      throw error;
    } finally {
      const message: OperationMessage = {
        operation,
        name: source.name,
        service: source.service,
        backend: source.backend,
        durationMs: performance.now() - start,
        outcome,
      };
      this.#channel.publish(message);
    }
  }

  /** Whether anybody listens. If not, a fast path need not be observed. */
  get active(): boolean {
    return this.#channel.hasSubscribers;
  }
}
