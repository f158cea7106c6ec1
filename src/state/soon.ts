import type { Instance } from "../client/index.ts";
import type { View } from "./view.ts";

/** How long the other tasks wait for the reads of a function, in ms. */
const longestReadsMs = 250;

/**
 * Whether a function ends soon: it needs nothing but promises and the store, and not too much of that. The other tasks
 * wait for it meanwhile. `onRead` is called when it waits for the store.
 */
export async function soon(
  playing: Promise<void>,
  view: View,
  instance: Instance,
  onRead: () => void,
): Promise<boolean> {
  const ended = playing.then(() => true);
  const until = instance.time.monotonic() + longestReadsMs;
  for (;;) {
    let immediate: NodeJS.Immediate | undefined;
    const late = new Promise<false>((resolve) => {
      immediate = setImmediate(() => (immediate = setImmediate(() => resolve(false))));
    });
    if (await Promise.race([ended, late])) {
      clearImmediate(immediate);
      return true;
    }
    const { reading } = view;
    const left = until - instance.time.monotonic();
    if (!reading || left <= 0) return false;
    onRead();
    await within(Promise.race([playing, reading.catch(() => undefined)]), left, instance);
  }
}

/** Whether a promise settles within that time. */
export async function within(playing: Promise<unknown>, ms: number, { time }: Instance): Promise<boolean> {
  let timer: { clear(): void } | undefined;
  const late = new Promise<false>((resolve) => (timer = time.after(ms, () => resolve(false), { ref: true })));
  const ended = await Promise.race([playing.then(() => true), late]);
  timer?.clear();
  return ended;
}
