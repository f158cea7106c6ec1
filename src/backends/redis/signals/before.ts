import { UnavailableError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import * as deadlines from "../../common/deadline.ts";

/** `work`, or UnavailableError once the deadline has passed. Keeps the process alive, unless `ref` is false. */
export function before<T>(work: Promise<T>, deadline: number, time: Time, ref = true): Promise<T> {
  return deadlines.before(work, { time, deadline, late, ref });
}

function late(): Error {
  return new UnavailableError("the server did not answer in time", { backend: "redis" });
}
