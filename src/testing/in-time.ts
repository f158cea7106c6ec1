/**
 * `promise`, or a rejection that says `what` was waited for once so many ms have passed, by the real clock: a case that
 * waits for what does not come ends, and says so. Default: a minute.
 */
export async function inTime<T>(what: string, promise: Promise<T>, ms = 60_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
