import { InvalidArgumentError, UnsupportedError } from "../../base/errors.ts";
import { utf8Length } from "../../base/keys.ts";
import type { Capabilities, Group } from "../../port/index.ts";
import type { Task } from "./call.ts";

/** Why a group is not even tried. */
export function refusalOf(task: Task, backend: string, capabilities: Capabilities): Error | undefined {
  const { ops, guards = [] }: Group = task.group;
  const { maxGroup, maxValue, transact, guard } = capabilities;
  const invalid = (message: string, key?: string): Error => new InvalidArgumentError(message, { backend, key });
  const unsupported = (message: string): Error => new UnsupportedError(message, { backend });
  if (guards.length > 0 && guard !== "atomic")
    return unsupported(`${backend} cannot check a lease in the step of a write`);
  if (task.cells.length > 1 && transact === "none") return unsupported(`${backend} changes one key at a time`);
  if (task.cells.length > maxGroup) return invalid(`a group has at most ${maxGroup} keys, got ${task.cells.length}`);
  for (const op of ops) {
    if (op.op === "acquire" && op.wait && ops.length > 1) {
      return invalid("an acquire that waits must be the only operation of its group", op.lock.key);
    }
    if (op.op !== "set") continue;
    const bytes = typeof op.value === "string" ? utf8Length(op.value) : op.value.byteLength;
    if (bytes > maxValue) return invalid(`a value may have at most ${maxValue} bytes, got ${bytes}`, op.key.key);
  }
  return undefined;
}
