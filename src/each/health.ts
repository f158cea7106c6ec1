import { isAway, UnavailableError } from "../base/errors.ts";
import type { Holdfast } from "../entries/index.ts";
import { delay } from "./delay.ts";

/** Waits for a store that is away, together for all who need it. */
export class StoreHealth {
  readonly #hf: Holdfast;
  readonly #timeoutMs: number;
  readonly #tell: (event: { type: "away"; error: string } | { type: "back" }) => void;
  readonly #signal: AbortSignal;
  #waiting: Promise<void> | undefined;

  constructor(
    hf: Holdfast,
    timeoutMs: number,
    signal: AbortSignal,
    tell: (event: { type: "away"; error: string } | { type: "back" }) => void,
  ) {
    this.#hf = hf;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#tell = tell;
  }

  /** Resolves when the store answers again. Rejects with UnavailableError when it did not in time, or with the signal's reason. */
  back(error: unknown): Promise<void> {
    return (this.#waiting ??= this.#wait(error).finally(() => (this.#waiting = undefined)));
  }

  async #wait(first: unknown): Promise<void> {
    const end = performance.now() + this.#timeoutMs;
    let error = first;
    let told = false;
    for (let ms = 50; performance.now() < end; ms = Math.min(ms * 2, 1000)) {
      this.#signal.throwIfAborted();
      try {
        await this.#hf.ping();
        if (told) this.#tell({ type: "back" });
        return;
      } catch (failed) {
        if (!isAway(failed)) throw failed;
        error = failed;
      }
      if (!told) this.#tell({ type: "away", error: (error as Error).message });
      told = true;
      await delay(ms, this.#signal);
    }
    throw new UnavailableError(`the store was away for ${this.#timeoutMs / 1000} s`, { cause: error });
  }
}
