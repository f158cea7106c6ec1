import { deferred } from "../../../base/async.ts";
import type { Time } from "../../../base/time.ts";
import type { Arg, Reply } from "../router.ts";
import type { Common } from "./connection-options.ts";
import { noAnswer, understood } from "./who-answers.ts";
import type { Endpoint, Role, Wire } from "./wire.ts";

/**
 * One question on a connection of its own, so that a server that has gone silent is found out. Takes at most half of
 * the time for an attempt to connect, for it is a part of one. Rejects with the driver's error; a `stranger` may be
 * there, and is told of.
 */
export async function askOnce(
  { dial, time, connectTimeout, secure }: Common,
  endpoint: Endpoint,
  role: Role,
  args: readonly Arg[],
  stranger = false,
): Promise<Reply> {
  const lost = deferred<never>();
  let wire: Wire | undefined;
  let over = false;
  const steps = async (): Promise<Reply> => {
    wire = await dial(endpoint, role, lost.reject);
    if (over) {
      wire.close();
      throw new Error("abandoned");
    }
    await wire.open();
    return wire.send(args);
  };
  const work = Promise.race([lost.promise, steps()]);
  let silence = "";
  const told = stranger ? understood({ time, secure }, endpoint, work, (what) => (silence = what)) : work;
  try {
    return await within(time, connectTimeout / 2, told, () => silence);
  } finally {
    over = true;
    wire?.close();
  }
}

/** The reply, or a rejection if it takes longer; `silence` is what is known of that by then. */
export async function within<T>(time: Time, ms: number, reply: Promise<T>, silence = (): string => ""): Promise<T> {
  const late = deferred<never>();
  const timer = time.after(ms, () => late.reject(noAnswer(ms, silence())));
  try {
    return await Promise.race([late.promise, reply]);
  } finally {
    timer.clear();
  }
}
