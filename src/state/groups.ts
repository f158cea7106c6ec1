import { UnsupportedError } from "../base/errors.ts";
import { keyId, type Key } from "../base/keys.ts";
import type { Group, Opened } from "../port/index.ts";
import { tagOf } from "../base/tags.ts";

/** Refuses a group that the backend cannot run as one atomic step. Throws UnsupportedError. */
export function checkGroup({ ops }: Group, { capabilities }: Opened, backend: string): void {
  const { transact, maxGroup } = capabilities;
  if (ops.length > maxGroup) {
    throw new UnsupportedError(
      `${backend} writes at most ${maxGroup} records at once, and this transaction has ${ops.length}`,
      {
        backend,
      },
    );
  }
  if (transact === "full" || ops.length < 2) return;
  const keys: Key[] = ops.map((op) => ("key" in op ? op.key : op.lock));
  if (transact === "slot") {
    const first = tagOf((keys[0] as Key).key);
    const other = keys.find(({ key }) => tagOf(key) !== first);
    if (!other) return;
    const message = `${backend} writes several records at once only where their keys have the same {tag}`;
    throw new UnsupportedError(message, { backend, key: other.key });
  }
  if (new Set(keys.map((key) => keyId(key))).size > 1) {
    throw new UnsupportedError(`${backend} cannot write several records at once`, { backend });
  }
}
