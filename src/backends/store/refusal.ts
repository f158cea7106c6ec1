import { InvalidArgumentError, UnsupportedError } from "../../base/errors.ts";
import type { Capabilities } from "../../port/index.ts";
import { notSent, refuse, type Failed } from "../common/failures.ts";
import type { Task } from "./call.ts";

/** Why a group is not even tried. */
export function refusalOf(task: Task, backend: string, capabilities: Capabilities): Failed | undefined {
  const { maxGroup, maxValue, transact, guard } = capabilities;
  const unsupported = (message: string): Failed => notSent(new UnsupportedError(message, { backend }));
  if (task.group.guards?.length && guard !== "atomic") {
    return unsupported(`${backend} cannot check a lease in the step of a write`);
  }
  if (guard === "none" && task.group.ops.some(({ op }) => op === "floor")) {
    return unsupported(`${backend} keeps no fences`);
  }
  if (task.cells.length > 1 && transact === "none") return unsupported(`${backend} changes one key at a time`);
  return refuse(task.group, { backend, maxGroup, maxValue });
}

/** For a content of more bytes than a cell may have. */
export function tooLarge(backend: string, most: number): InvalidArgumentError {
  return new InvalidArgumentError(`what is to be stored under one key is more than the ${most} bytes that may be`, {
    backend,
  });
}
