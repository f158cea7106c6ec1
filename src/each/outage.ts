import { isAway, UnavailableError } from "../base/errors.ts";
import { connect, type Holdfast } from "../entries/index.ts";
import { delay } from "./delay.ts";
import type { WorkerEvent } from "./report.ts";

/** Waits between two requests while the store is away, in ms: the first, and the longest. */
const shortest = 50;
const longest = 1_000;

/**
 * Makes a request, again and again while the store is away; `away` is called each time that it is. It must be one that
 * may be made twice. Rejects with UnavailableError when the store was not there in time, or when the signal has aborted
 * meanwhile.
 */
export async function patiently<T>(
  timeoutMs: number,
  signal: AbortSignal,
  request: () => Promise<T>,
  away?: (error: Error) => void,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (let wait = shortest; ; wait = Math.min(wait * 2, longest)) {
    try {
      return await request();
    } catch (error) {
      if (!isAway(error)) throw error;
      away?.(error as Error);
      if (signal.aborted || performance.now() + wait > end) {
        throw awayFor(timeoutMs, error as Error);
      }
      await delay(wait, signal);
    }
  }
}

function awayFor(timeoutMs: number, cause: Error): UnavailableError {
  return new UnavailableError(`the store was away for ${timeoutMs / 1000} s: ${cause.message}`, { cause });
}

/** Connects to a store, waiting for one that is away. Rejects as {@link patiently} does. */
export function connectPatiently(url: string, timeoutMs: number, signal: AbortSignal): Promise<Holdfast> {
  // Nothing runs in this instance that close would have to wait for: the worker has ended before.
  return patiently(timeoutMs, signal, () => connect(url, { drain: 0 }));
}

/** Waits for a store that is away, together for all parts of a worker, and keeps the error that ends the worker. */
export class Outage {
  readonly #hf: Holdfast;
  readonly #timeoutMs: number;
  readonly #tell: (event: WorkerEvent) => void;
  /** Aborts with the first failure: nothing is waited for from then on. */
  readonly #failed = new AbortController();
  readonly #stop: () => void;
  #failure: { readonly error: unknown } | undefined;
  #waiting: Promise<void> | undefined;

  /** `stop` is called with the first failure. */
  constructor(hf: Holdfast, timeoutMs: number, tell: (event: WorkerEvent) => void, stop: () => void) {
    this.#hf = hf;
    this.#timeoutMs = timeoutMs;
    this.#tell = tell;
    this.#stop = stop;
  }

  /** What ended the worker. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /**
   * The result of a request that is made again while the store is away or refuses it, for the timeout in all; undefined
   * where that ends the worker.
   */
  async patiently<T>(request: () => Promise<T>): Promise<T | undefined> {
    let end: number | undefined;
    for (let wait = shortest; !this.#failure; wait = Math.min(wait * 2, longest)) {
      try {
        return await request();
      } catch (error) {
        end ??= performance.now() + this.#timeoutMs;
        if (!isAway(error)) this.fail(error);
        else if (performance.now() > end) this.fail(awayFor(this.#timeoutMs, error as Error));
        else {
          await this.over();
          // It may answer a ping and refuse this: such a request is not made again at once.
          await delay(wait, this.#failed.signal);
        }
      }
    }
    return undefined;
  }

  /**
   * Resolves when the store answers again, also where the worker is to stop, or when it was away for so long that it
   * ends.
   */
  over(): Promise<void> {
    return (this.#waiting ??= this.#wait().finally(() => (this.#waiting = undefined)));
  }

  /** Ends the worker. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#failed.abort();
    this.#stop();
  }

  async #wait(): Promise<void> {
    let said = false;
    const away = ({ message }: Error): void => {
      if (!said) this.#tell({ type: "away", error: message });
      said = true;
    };
    try {
      await patiently(this.#timeoutMs, this.#failed.signal, () => this.#hf.ping(), away);
      if (said) this.#tell({ type: "back" });
    } catch (error) {
      this.fail(error);
    }
  }
}
