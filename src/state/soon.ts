import type { Instance } from "../client/index.ts";
import type { View } from "./view.ts";

/** Whether a function needs nothing but promises and the store: others wait for that. */
export async function soon(playing: Promise<void>, view: View): Promise<boolean> {
  const ended = playing.then(() => true);
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
    if (!reading) return false;
    await Promise.race([playing, reading.catch(() => undefined)]);
  }
}

/** Whether a function ends within that time. */
export async function within(playing: Promise<void>, ms: number, { time }: Instance): Promise<boolean> {
  let timer: { clear(): void } | undefined;
  const late = new Promise<false>((resolve) => (timer = time.after(ms, () => resolve(false), { ref: true })));
  const ended = await Promise.race([playing.then(() => true), late]);
  timer?.clear();
  return ended;
}
