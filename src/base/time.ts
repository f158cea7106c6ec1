/** A timer that was set. */
export interface Timer {
  /** Stops it; harmless when it has run. */
  clear(): void;
}

/**
 * Clocks and timers. Everything in Holdfast that waits or measures asks one of these, so the test kit can replace it.
 */
export interface Time {
  /**
   * Whether what waits is to end at its very time, as under a clock that a test moves. Default: what ends within some
   * ms shares a timer.
   */
  readonly exact?: boolean | undefined;
  /** Milliseconds since 1970, may jump. */
  wall(): number;
  /** Milliseconds since some moment, with fractions; never goes back, may stand still while the machine sleeps. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms` (clamped to what a timer can hold). It does not keep the process alive unless `ref` is
   * true.
   */
  after(ms: number, fn: () => void, options?: { readonly ref?: boolean }): Timer;
}

/** The longest that a timer can hold, in ms. */
export const longestTimer = 2 ** 31 - 1;

/** The machine's clocks and Node's timers. */
export const systemTime: Time = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn, options) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), longestTimer));
    if (!options?.ref) timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
};

/** Resolves after so many ms, for which the process stays alive. */
export async function pauseFor(time: Time, ms: number): Promise<void> {
  await new Promise<void>((resolve) => void time.after(ms, resolve, { ref: true }));
}
