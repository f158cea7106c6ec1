import { setTimeout as pause } from "node:timers/promises";

/** Asks again and again until it is so. Rejects after `ms`, with what it waited for. */
export async function until(what: string, isSo: () => Promise<boolean>, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await pause(20);
  }
}
