import { UnsupportedError } from "../base/errors.ts";
import { keyId, type Key } from "../base/keys.ts";
import type { Group, Opened } from "../port/index.ts";
import { tagOf } from "../base/tags.ts";

/** Refuses a group that the backend cannot run as one atomic step. Throws UnsupportedError. */
export function checkGroup(group: Group, opened: Opened, backend: string): void {
  const refusal = refusalOf(group, opened, backend);
  if (refusal) throw refusal;
}

/**
 * Why the backend cannot run a group as one atomic step; undefined if it can. `more` is how many keys will be added to
 * it.
 */
export function refusalOf(
  { ops, guards = [] }: Group,
  { capabilities }: Opened,
  backend: string,
  more = 0,
): UnsupportedError | undefined {
  const { transact, maxGroup } = capabilities;
  // Most groups have too few operations for too many keys.
  if (ops.length + guards.length + more > maxGroup) {
    const written = new Set(ops.map((op) => keyId(addressOf(op))));
    const all = new Set([...written, ...guards.map(({ lock }) => keyId(lock))]).size + more;
    if (all > maxGroup) return tooMany(backend, maxGroup, written.size, all - written.size);
  }
  if (transact === "full" || ops.length < 2) return undefined;
  const keys = ops.map(addressOf);
  if (transact === "slot") {
    const first = tagOf((keys[0] as Key).key);
    const other = keys.find(({ key }) => tagOf(key) !== first);
    if (!other) return undefined;
    const message = `${backend} writes several records at once only where their keys have the same {tag}`;
    return new UnsupportedError(message, { backend, key: other.key });
  }
  if (new Set(keys.map((key) => keyId(key))).size > 1) {
    return new UnsupportedError(`${backend} cannot write several records at once`, { backend });
  }
  return undefined;
}

function tooMany(backend: string, most: number, records: number, leases: number): UnsupportedError {
  const under = leases > 0 ? ` under a lease on ${leases}` : "";
  const message = `${backend} writes at most ${most} keys at once, and this transaction has ${records}${under}`;
  return new UnsupportedError(message, { backend });
}

function addressOf(op: Group["ops"][number]): Key {
  return "key" in op ? op.key : op.lock;
}
