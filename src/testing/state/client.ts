import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { FencedError, isHoldfastError, type ErrorCode } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { space, type Key } from "../../base/keys.ts";
import { Instance, setGrip } from "../../client/index.ts";
import type { Backend, Capabilities, Granted } from "../../port/index.ts";
import { StateStore, type Change, type LeaseLike, type StateStoreOptions } from "../../state/index.ts";
import type { CaseContext } from "../suite.ts";

/** How long a case waits for what a real server tells, in real ms. */
const patience = 10_000;

/** A new instance on a backend of its own: another client of the same data. */
export function instanceOf({ place }: CaseContext): Instance {
  return instanceOn(place.backend());
}

/** A new instance, whose calls end in time on however busy a machine. */
export function instanceOn(backend: Backend): Instance {
  return new Instance(backend, { timeout: 30_000 });
}

/** A store of a new instance. Stores of one case are the same records unless their names differ. */
export function storeOf<T>(context: CaseContext, options?: StateStoreOptions<T>, name = "entries"): StateStore<T> {
  return new StateStore<T>(instanceOf(context), name, { service: "conformance", ...options });
}

/** A store of an instance. */
export function storeOn<T>(instance: Instance, name = "entries"): StateStore<T> {
  return new StateStore<T>(instance, name, { service: "conformance" });
}

/** Two stores of an instance: transactions work on both. */
export interface Books {
  readonly instance: Instance;
  readonly a: StateStore<number>;
  readonly b: StateStore<number>;
}

export function booksOf(instance: Instance): Books {
  return { instance, a: storeOn(instance), b: storeOn(instance, "others") };
}

export function books(context: CaseContext): Books {
  return booksOf(instanceOf(context));
}

/** `backend`, saying that it can do less. */
export function declaring(backend: Backend, less: Partial<Capabilities>): Backend {
  return {
    name: backend.name,
    time: backend.time,
    session: () => backend.session(),
    close: async () => backend.close(),
    async open() {
      const { domain, capabilities } = await backend.open();
      return { domain, capabilities: { ...capabilities, ...less } };
    },
  };
}

/** Asserts that a promise rejects with an error of ours of that code. */
export async function rejects(work: Promise<unknown>, code: ErrorCode, what?: string): Promise<void> {
  await assert.rejects(
    work,
    (error) => {
      assert.ok(isHoldfastError(error), `${what ?? ""}: ${String(error)}`);
      assert.equal(error.code, code, `${what ?? ""}: ${error.message}`);
      return true;
    },
    what,
  );
}

/** Asserts that a function throws an error of ours of that code, at once. */
export function throws(work: () => unknown, code: ErrorCode): void {
  assert.throws(work, (error) => isHoldfastError(error, code));
}

/** A lease taken at the port: what a lock would hand out, with the clocks and the renewals left to the case. */
export interface HeldLease extends LeaseLike {
  /** Ends it at the store behind its holder's back. */
  lose(): Promise<void>;
  /** Operations that named it: how many began, how each ended. */
  readonly began: number;
  readonly ended: readonly boolean[];
  /** Makes its holder know that it is over. */
  over: boolean;
}

/** Takes a lock on `keys` for `ttl` ms. */
export async function leaseOf(
  instance: Instance,
  keys: readonly string[],
  options: { readonly ttl?: number; readonly name?: string; readonly exclusive?: boolean } = {},
): Promise<HeldLease> {
  const { ttl = 60_000, name = "entries", exclusive = true } = options;
  const locks: readonly Key[] = keys.map((key) => ({ space: space("lock", "conformance", name), key }));
  const owner = drawId();
  const reply = await instance.execute(
    { ops: locks.map((lock) => ({ op: "acquire", lock, owner, mode: "exclusive", ttl, info: "" })) },
    instance.ownCall(),
  );
  assert.ok(reply.ok, "the case's lock is free");
  const grant = Math.max(...reply.results.map((result) => (result as Granted).grant));
  for (const [i, lock] of locks.entries()) {
    const own = (reply.results[i] as Granted).grant;
    if (own === grant) continue;
    await instance.execute({ ops: [{ op: "extend", lock, owner, grant: own, ttl, raise: grant }] }, instance.ownCall());
  }
  const ended: boolean[] = [];
  const lease = {
    began: 0,
    ended,
    over: false,
    fence: BigInt(grant) << 10n,
    assertHeld() {
      if (lease.over) throw new FencedError("the lease is over");
    },
    async lose() {
      const ops = locks.map((lock) => ({ op: "release", lock, owner }) as const);
      await instance.execute({ ops }, instance.ownCall());
    },
  };
  setGrip(lease, {
    instance,
    exclusive,
    lock: name,
    locks,
    owner,
    grant,
    n: 0,
    remainingMs: () => ttl,
    assertHeld: () => lease.assertHeld(),
    begin() {
      lease.began++;
      return (indeterminate) => ended.push(indeterminate);
    },
  });
  return lease;
}

/** Takes changes from a watch, with patience. */
export class Changes<T> {
  readonly seen: Change<T>[] = [];
  readonly #iterator: AsyncIterator<Change<T>>;

  constructor(changes: AsyncIterable<Change<T>>) {
    this.#iterator = changes[Symbol.asyncIterator]();
  }

  /** Starts a watch. */
  static async of<T>(store: StateStore<T>, options?: Parameters<StateStore<T>["watch"]>[0]): Promise<Changes<T>> {
    return new Changes(await store.watch(options));
  }

  /** The next change; `undefined` when the watch has ended. */
  async next(): Promise<Change<T> | undefined> {
    const limit = new AbortController();
    const late = pause(patience, undefined, { signal: limit.signal, ref: false });
    try {
      const next = await Promise.race([this.#iterator.next(), late]);
      assert.ok(next, `no change within ${patience} ms; before: ${JSON.stringify(this.seen)}`);
      if (next.done) return undefined;
      this.seen.push(next.value);
      return next.value;
    } finally {
      limit.abort();
      await late.catch(() => undefined);
    }
  }

  /** Takes changes until one is as wanted. */
  async until(is: (change: Change<T>) => boolean): Promise<Change<T>> {
    for (;;) {
      const change = await this.next();
      assert.ok(change, `the watch ended; before: ${JSON.stringify(this.seen)}`);
      if (is(change)) return change;
    }
  }

  /** Takes changes until `key` has that value; `undefined` for none. */
  async state(key: string, value: T | undefined): Promise<void> {
    await this.until((change) => {
      if (change.type === "save") return change.entry.key === key && Object.is(change.entry.value, value);
      return change.type === "delete" && change.key === key && value === undefined;
    });
  }

  async stop(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** All of a listing. */
export async function all<R>(iterable: AsyncIterable<R>): Promise<R[]> {
  const found: R[] = [];
  for await (const one of iterable) found.push(one);
  return found;
}

/** Runs `fn` for 0 to `count` - 1, all at the same time. */
export async function times<R>(count: number, fn: (i: number) => Promise<R>): Promise<R[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => fn(i)));
}

/** Records are kept, and a read sees them: every backend but Null. */
export const keeps = (capabilities: Capabilities): boolean => capabilities.reads !== "eventual";
/** Leases guard writes of their own store. */
export const guards = (capabilities: Capabilities): boolean =>
  keeps(capabilities) && capabilities.guard === "atomic" && capabilities.exclusion !== "none";
/** Entries remember fences. */
export const floors = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.guard !== "none";
/** Groups of several keys, which have one tag in the cases. */
export const transacts = (capabilities: Capabilities): boolean =>
  keeps(capabilities) && capabilities.transact !== "none";
/** Keys are listed. */
export const lists = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.list;
/** Changes are told. */
export const watches = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.watch !== "none";
