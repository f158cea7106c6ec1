import { UnavailableError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";

/**
 * `work`, or UnavailableError once the deadline has passed; what becomes of the work then is not observed. With `ref`,
 * the process stays alive meanwhile.
 */
export async function before<T>(
  work: Promise<T>,
  deadline: number,
  time: Time,
  options?: { readonly ref: boolean },
): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = time.after(
      deadline - time.monotonic(),
      () => reject(new UnavailableError("the server did not answer in time", { backend: "redis" })),
      options,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer?.clear();
  }
}
