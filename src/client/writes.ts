import { IndeterminateError, isHoldfastError } from "../base/errors.ts";
import type { Group, Operation } from "../port/index.ts";
import type { Call } from "./calls.ts";
import type { Instance } from "./instance.ts";
import type { Reader, Reply } from "./requests.ts";

/**
 * Executes a group of record writes. If its reply was lost, finds out the outcome, and never writes twice in silence.
 *
 * Writes on `{ id }` are sent once more. Others are not: a late first copy could overwrite a newer value, or apply
 * after a delete. It is a success if they apply now, or if a record has the id of this very write. All else stays
 * IndeterminateError. A touch leaves the id as it is, so it is sent again only beside a write that does not: alone, its
 * late first copy could end what a later touch was to keep.
 */
export function executeWrite(instance: Instance, group: Group, call: Call): Reply | Promise<Reply> {
  return instance.execute(group, call, new PlainWrite(instance, group, call));
}

/** The same with a result of its own. That saves one promise for each of the thousands that may be under way. */
export abstract class Write<R> implements Reader<R> {
  readonly #instance: Instance;
  readonly #group: Group;
  readonly #call: Call;

  constructor(instance: Instance, group: Group, call: Call) {
    this.#instance = instance;
    this.#group = group;
    this.#call = call;
  }

  abstract read(reply: Reply): R;

  async missed(error: unknown): Promise<R> {
    return this.read(await recover(this.#instance, this.#group, this.#call, error));
  }
}

class PlainWrite extends Write<Reply> {
  read(reply: Reply): Reply {
    return reply;
  }
}

async function recover(instance: Instance, group: Group, call: Call, error: unknown): Promise<Reply> {
  if (!isHoldfastError(error, "INDETERMINATE")) throw error;
  if (call.signal?.aborted || instance.time.monotonic() >= call.deadline) throw error;
  const again = canRepeat(group);
  const results = group.ops.map(({ op }) => (op === "delete" || op === "touch" ? true : undefined));
  const applied: Reply = { ok: true, results };
  const own = group.ops.find((op): op is SetOperation => op.op === "set");
  let refused: Operation | undefined;
  try {
    if (again) {
      const reply = await instance.execute(group, call);
      if (reply.ok) return reply;
      refused = reply.why === "conflict" ? group.ops[reply.at] : undefined;
      if (own && refused?.op === "set" && reply.why === "conflict" && reply.current?.id === refused.id) return applied;
    }
    // What refused it may be another record of the group, or a lease that is over by now.
    if (own && refused?.op !== "set") {
      const reply = await instance.execute({ ops: [{ op: "get", key: own.key }] }, call);
      const found = reply.ok ? reply.results[0] : undefined;
      if (typeof found === "object" && "id" in found && found.id === own.id) return applied;
    }
  } catch (second) {
    throw new IndeterminateError("the reply to a write was lost, and so was the question what became of it", {
      backend: instance.backend.name,
      cause: second,
    });
  }
  throw error;
}

/**
 * Whether a second copy of a group does nothing where the first took effect, and the first nothing where the second
 * did.
 */
function canRepeat({ ops }: Group): boolean {
  const changes = ops.filter((op) => op.op === "set" || op.op === "delete");
  if (!changes.every(({ if: when }) => when !== undefined && "id" in when)) return false;
  return changes.length > 0 || !ops.some(({ op }) => op === "touch");
}

type SetOperation = Extract<Operation, { op: "set" }>;
