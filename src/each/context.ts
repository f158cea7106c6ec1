import { joinSignals, type JoinedSignal } from "../base/aborts.ts";
import type { Holdfast, Lease } from "../entries/index.ts";
import { Attempt } from "./attempt.ts";
import { AttemptState } from "./item-state.ts";
import type { Item } from "./item.ts";
import type { Records } from "./records.ts";
import type { Handler, HandlerContext, ItemState } from "./types.ts";

/** An item's handler had not settled in time. */
class ItemTimeoutError extends Error {
  override readonly name = "ItemTimeoutError";
}

/** What the attempts of one worker share. */
export interface ContextParts {
  readonly hf: Pick<Holdfast, "state">;
  readonly handler: Handler;
  readonly records: Records;
  readonly idPrefix: string;
  readonly terms: { readonly itemTimeoutMs: number | undefined };
}

/** An attempt, as its handler sees it. */
export class Context extends Attempt implements HandlerContext {
  readonly lease: Lease;
  readonly #parts: ContextParts;
  #cut: AbortController | undefined;
  #signal: JoinedSignal | undefined;

  constructor(item: Item, tag: string | undefined, lease: Lease, parts: ContextParts) {
    super(item, tag);
    this.lease = lease;
    this.#parts = parts;
  }

  get key(): string | undefined {
    return this.item.key;
  }

  get id(): number {
    return this.item.id;
  }

  get attempt(): number {
    return this.item.failures + this.item.lost + 1;
  }

  get idempotencyKey(): string {
    return `${this.#parts.idPrefix}${this.item.id}`;
  }

  get signal(): AbortSignal {
    if (this.#parts.terms.itemTimeoutMs === undefined) return this.lease.signal;
    // Made where a handler asks for it: most do not.
    if (!this.#signal) {
      this.#cut = new AbortController();
      this.#signal = joinSignals(this.#cut.signal, this.lease.signal);
      if (this.late) this.#cut.abort(this.late);
    }
    return this.#signal.signal;
  }

  state<T = unknown>(name: string): ItemState<T> {
    const { records, hf } = this.#parts;
    return new AttemptState<T>(this, records, records.of(hf.state(name)));
  }

  /**
   * Calls the handler, and then `complete`, once: when it has settled and its calls on `ctx.state` too, or when its
   * time is over. What went wrong is the attempt's failure.
   */
  call(value: unknown, complete: () => void): void {
    const { handler, terms } = this.#parts;
    const { itemTimeoutMs: ms } = terms;
    const timer = ms === undefined ? undefined : setTimeout(() => threw(this.#late(ms)), ms);
    const end = (): void => {
      if (this.over) return; // its time was over before
      clearTimeout(timer);
      complete();
    };
    const threw = (error: unknown): void => {
      this.failure ??= error ?? new Error("the handler failed without an error");
      end();
    };
    // Calls that the handler did not wait for are the item's all the same.
    const returned = (): void => this.afterCalls(end);
    try {
      const result = handler(value, this);
      if (isThenable(result)) return void result.then(returned, threw);
    } catch (error) {
      return threw(error);
    }
    returned();
  }

  override release(): void {
    this.#signal?.end();
    super.release();
  }

  #late(ms: number): Error {
    this.late = new ItemTimeoutError(`the handler had not settled after ${ms / 1000} s`);
    this.#cut?.abort(this.late);
    return this.late;
  }
}

function isThenable(result: unknown): result is PromiseLike<unknown> {
  return (
    typeof result === "object" &&
    result !== null &&
    typeof (result as Partial<PromiseLike<unknown>>).then === "function"
  );
}
