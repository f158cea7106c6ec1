import { onAbort } from "../base/aborts.ts";

/** Resolves after so many ms; earlier, and without an error, when the signal aborts. */
export async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(over, ms);
    const unheard = onAbort(signal, over);
    function over(): void {
      clearTimeout(timer);
      unheard();
      resolve();
    }
  });
}
