import { UnsupportedError } from "../base/errors.ts";
import { keyId, type Key } from "../base/keys.ts";
import type { Group, Opened } from "../port/index.ts";
import { tagOf } from "../base/tags.ts";

/** Refuses a group that the backend cannot run as one atomic step. Throws UnsupportedError. */
export function checkGroup(group: Group, opened: Opened, backend: string): void {
  const refusal = refusalOf(group, opened, backend);
  if (refusal) throw refusal;
}

/** Why the backend cannot run a group as one atomic step; undefined where it can. */
export function refusalOf({ ops }: Group, { capabilities }: Opened, backend: string): UnsupportedError | undefined {
  const { transact, maxGroup } = capabilities;
  if (ops.length > maxGroup) {
    return new UnsupportedError(
      `${backend} writes at most ${maxGroup} records at once, and this transaction has ${ops.length}`,
      {
        backend,
      },
    );
  }
  if (transact === "full" || ops.length < 2) return undefined;
  const keys: Key[] = ops.map((op) => ("key" in op ? op.key : op.lock));
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
