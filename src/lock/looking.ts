import { UnsupportedError } from "../base/errors.ts";
import type { Key, Space } from "../base/keys.ts";
import type { Call } from "../client/index.ts";
import type { LockState } from "../port/index.ts";
import { holderOf, type Holder } from "./holder.ts";
import type { LockHost } from "./host.ts";
import { persist } from "./persist.ts";
import { QueueSpaces } from "./queues.ts";

/** Keys asked for at a time. */
const pageSize = 200;

/** Who holds a lock. */
export async function inspect(host: LockHost, lock: Key, call: Call): Promise<Holder | undefined> {
  const reply = await host.instance.execute({ ops: [{ op: "inspect", lock }] }, call);
  const state = reply.ok ? (reply.results[0] as LockState) : undefined;
  // Only what the store confirms: a hand-off that it was not told of is known here.
  const queue = QueueSpaces.of(host).find(lock);
  if (!state || !queue) return holderOf(lock.key, state);
  const here = queue.holder(state.waiting);
  if (here && isKnownTo(state, here)) return here;
  return holderOf(lock.key, state, queue.waitingBeside(state.waiting));
}

/** Whether the contender of a lease of this instance is a holder by the store's account. */
function isKnownTo(state: LockState | undefined, here: Holder): boolean {
  return state?.holders.some((one) => here.owner.startsWith(`${one.owner}/`)) === true;
}

interface HolderPage {
  readonly holders: readonly (Holder | undefined)[];
  readonly cursor: string | undefined;
}

/** Every lock of a space that is held. `observe` runs the reading of each page. */
export async function* list(
  host: LockHost,
  space: Space,
  call: () => Call,
  observe: (read: () => Promise<HolderPage>) => Promise<HolderPage>,
): AsyncGenerator<Holder> {
  const first = call();
  const { list: lists } = await host.learn(first);
  if (!lists) throw new UnsupportedError("this backend does not list", { backend: host.instance.backend.name });
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const from = cursor;
    const page = await observe(() => readPage(host, space, from, call));
    for (const holder of page.holders) if (holder) yield holder;
    cursor = page.cursor;
  }
}

async function readPage(host: LockHost, space: Space, from: string | undefined, call: () => Call): Promise<HolderPage> {
  const { records, cursor } = await host.instance.page({ space, prefix: "", limit: pageSize, cursor: from }, call());
  const holders = await Promise.all(records.map(({ key }) => inspect(host, { space, key }, call())));
  return { holders, cursor };
}

/** Ends every hold of a lock; the holder that there was. */
export async function steal(host: LockHost, lock: Key, reason: string, call: Call): Promise<Holder | undefined> {
  const here = QueueSpaces.of(host).find(lock)?.holder(0);
  const { signal, deadline } = call;
  const reply = await persist(host, { signal, until: () => deadline }, () =>
    host.instance.execute({ ops: [{ op: "steal", lock }] }, call),
  );
  const state = reply.ok ? (reply.results[0] as LockState) : undefined;
  host.force(lock, reason, state);
  // Only what the store confirms: a lease of this instance may have been ended before, and the lock be another's.
  return here && isKnownTo(state, here) ? here : holderOf(lock.key, state);
}
