import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import { checkKey, type Key, type Space } from "../base/keys.ts";
import { checkSignal, type Call, type CallOptions } from "../client/index.ts";
import type { LockState, StoredRecord } from "../port/index.ts";
import { contenderOf, holderOf, holdersOf, nearest, type Holder } from "./holder.ts";
import type { LockHost } from "./host.ts";
import { checkKind, spaceKindOf, type HolderKind } from "./kinds.ts";
import { persist } from "./persist.ts";
import { QueueSpaces } from "./queues.ts";
import { findRun, forgetRun, storedRunOf, type StoredRun } from "./stored-runs.ts";

/** Keys asked for at a time. */
const pageSize = 200;

/** The kind of lock that a call is about. */
export interface KindOptions extends CallOptions {
  /**
   * The kind of the lock of the key: see {@link HolderKind}. A semaphore and the sides of a read/write lock of one name
   * are one lock, and so are a run and an election of one name. Default: `"lock"`.
   */
  readonly kind?: HolderKind | undefined;
}

/** Options of `list`. */
export interface ListLocksOptions extends CallOptions {
  /** Only holders of this kind. Default: all. */
  readonly kind?: HolderKind | "result" | undefined;
}

/** Options of `inspect`. */
export interface InspectOptions extends CallOptions {
  /** As in {@link KindOptions}; `"result"` for the record of the runs of an id. */
  readonly kind?: HolderKind | "result" | undefined;
}

/**
 * Options of `forceRelease`. A holder from `inspect` or `list` can be used: `forceRelease(holder.key, "why", holder)`.
 */
export interface ForceReleaseOptions extends KindOptions {
  /**
   * Ends the hold of this owner only, as `inspect` or `list` gave it; nothing if it does not hold the lock. If its
   * process has handed the lock on meanwhile without asking the store, the present lease ends. Default: every hold.
   */
  readonly owner?: string | undefined;
}

/** The spaces of the locks of one name, by their kind. */
export interface Spaces {
  readonly lock: Space;
  readonly shared: Space;
  readonly once: Space;
  readonly result: Space;
}

/** Reads who holds the locks of one name, whatever their kind, and ends their holds. */
export class Looking {
  readonly #host: LockHost;
  readonly #spaces: Spaces;

  constructor(host: LockHost, spaces: Spaces) {
    this.#host = host;
    this.#spaces = spaces;
  }

  async inspect(key: string, options: InspectOptions | undefined): Promise<Holder | StoredRun | undefined> {
    const kind: unknown = options?.kind;
    const space = kind === "result" ? this.#spaces.result : this.#spaces[spaceKindOf(checkKind(kind))];
    const at = { space, key: checkKey(key) };
    const call = this.#host.instance.call(options);
    return kind === "result" ? findRun(this.#host, at, call) : nearest(await inspect(this.#host, at, call));
  }

  /** The holders, and the records of runs. */
  list(options: ListLocksOptions | undefined, observe: ObservePage): AsyncGenerator<Holder | StoredRun> {
    const { kind } = options ?? {};
    if (kind !== "result" && kind !== undefined) checkKind(kind);
    checkSignal(options?.signal);
    return this.#list(kind, () => this.#host.instance.call(options), observe);
  }

  async *#list(
    kind: HolderKind | "result" | undefined,
    call: () => Call,
    observe: ObservePage,
  ): AsyncGenerator<Holder | StoredRun> {
    const { lock, shared, once, result } = this.#spaces;
    if (kind !== "result") {
      const spaces = kind === undefined ? [lock, shared, once] : [this.#spaces[spaceKindOf(kind)]];
      for (const space of spaces) {
        for await (const holder of listHolders(this.#host, space, call, observe)) {
          if (kind === undefined || holder.kind === kind) yield holder;
        }
      }
    }
    if (kind === undefined || kind === "result") yield* listRuns(this.#host, result, call, observe);
  }

  async forceRelease(
    key: string,
    reason: string,
    options: ForceReleaseOptions | undefined,
  ): Promise<Holder | undefined> {
    const lock = { space: this.#spaces[spaceKindOf(checkKind(options?.kind))], key: checkKey(key) };
    if (typeof reason !== "string" || reason === "") throw new InvalidArgumentError("reason must say why");
    return steal(this.#host, lock, reason, checkOwner(options?.owner), this.#host.instance.call(options));
  }

  async forget(id: string, options: CallOptions | undefined): Promise<boolean> {
    const key = { space: this.#spaces.result, key: checkKey(id, "id") };
    return forgetRun(this.#host, key, this.#host.instance.call(options));
  }
}

/** The holders of a lock: several if they share it. */
async function inspect(host: LockHost, lock: Key, call: Call): Promise<readonly Holder[]> {
  const reply = await host.instance.execute({ ops: [{ op: "inspect", lock }] }, call);
  const state = reply.ok ? (reply.results[0] as LockState) : undefined;
  if (!state) return [];
  // Only holders that the store confirms. A hand-off in this instance, which the store does not know, is shown as well.
  const queue = QueueSpaces.of(host).find(lock);
  if (!queue) return holdersOf(lock, state, state.waiting);
  const here = queue.holder(state.waiting);
  if (here && isKnownTo(state, here)) return [here];
  return holdersOf(lock, state, queue.waitingBeside(state.waiting));
}

/** Whether the store knows the contender of a lease of this instance as a holder. */
function isKnownTo(state: LockState | undefined, here: Holder): boolean {
  return state?.holders.some((one) => here.owner.startsWith(`${one.owner}/`)) === true;
}

/** Runs the reading of each page of a listing. */
type ObservePage = <T>(read: () => Promise<T>) => Promise<T>;

/** Every hold of the locks of a space. */
async function* listHolders(
  host: LockHost,
  space: Space,
  call: () => Call,
  observe: ObservePage,
): AsyncGenerator<Holder> {
  const read = async ({ key }: { readonly key: string }): Promise<readonly Holder[]> =>
    inspect(host, { space, key }, call());
  for await (const holders of pages(host, space, call, observe, read)) yield* holders.flat();
}

/** Every record of the runs of a space. */
async function* listRuns(
  host: LockHost,
  space: Space,
  call: () => Call,
  observe: ObservePage,
): AsyncGenerator<StoredRun> {
  for await (const runs of pages(host, space, call, observe, storedRunOf)) yield* runs;
}

/** The pages of a space. `read` makes the items of the records of a page. */
async function* pages<T>(
  host: LockHost,
  space: Space,
  call: () => Call,
  observe: ObservePage,
  read: (record: StoredRecord) => T | Promise<T>,
): AsyncGenerator<readonly T[]> {
  const { list: lists } = await host.learn(call());
  if (!lists) throw new UnsupportedError("this backend does not list", { backend: host.instance.backend.name });
  let cursor: string | undefined;
  do {
    const query = { space, prefix: "", limit: pageSize, cursor, keysOnly: true };
    const page = await observe(async () => {
      const found = await host.instance.page(query, call());
      return { found: await Promise.all(found.records.map(read)), cursor: found.cursor };
    });
    yield page.found;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Ends every hold of a lock, or the hold of `owner` only. Gives the holder before. */
async function steal(
  host: LockHost,
  lock: Key,
  reason: string,
  owner: string | undefined,
  call: Call,
): Promise<Holder | undefined> {
  const here = QueueSpaces.of(host).find(lock)?.holder(0);
  const { signal, deadline } = call;
  const contender = owner === undefined ? undefined : contenderOf(owner);
  const reply = await persist(host, { signal, until: () => deadline }, () =>
    host.instance.execute({ ops: [{ op: "steal", lock, owner: contender }] }, call),
  );
  const before = reply.ok ? (reply.results[0] as LockState) : undefined;
  const ended = contender === undefined || !before ? before : only(before, contender);
  host.force(lock, reason, ended);
  // Only holders that the store confirms: the lease of this instance may have ended before, and the lock be held by
  // another.
  return here && isKnownTo(ended, here) ? here : holderOf(lock, ended);
}

function only(state: LockState, contender: string): LockState {
  return { holders: state.holders.filter(({ owner }) => owner === contender), waiting: state.waiting };
}

/** Throws InvalidArgumentError for anything but the owner of a lease. */
function checkOwner(owner: unknown): string | undefined {
  if (owner === undefined || (typeof owner === "string" && owner !== "")) return owner;
  throw new InvalidArgumentError("owner must be that of a holder, as inspect or list tells it");
}
