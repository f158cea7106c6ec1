import type { Duration } from "../base/durations.ts";
import type { Key } from "../base/keys.ts";
import { refuseForgotten, type CallOptions } from "../client/index.ts";
import type { Operation, OwnConnection } from "../port/index.ts";
import { resolveCondition, resolveVersion } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry, Version } from "./entry.ts";
import { modify } from "./modify.ts";
import { OwnWork } from "./own-work.ts";
import {
  checkFunction,
  requireTtl,
  resolveEnd,
  type DeleteOptions,
  type LeaseLike,
  type LeaseOption,
  type LoadEntryOptions,
  type SaveOptions,
  type TakeOptions,
  type TouchOptions,
  type UpdateOptions,
  type UpsertOptions,
} from "./options.ts";
import { KEEP, type Verdict } from "./symbols.ts";
import { take } from "./taking.ts";

/**
 * The entries of a state store within a transaction that the application has begun: what is written here takes effect
 * when the application commits, together with its own rows, and never if it rolls back. It commits nothing and rolls
 * nothing back. Made by {@link StateStore.within}; for this one transaction.
 *
 * Calls have the options and the meaning of the store's. Calls on one connection run one after another. A call waits
 * for a row that others have locked as long as the settings of the application say, and its own `timeout` at most.
 *
 * The transaction goes on after ConflictError, FencedError, LeaseLostError, InvalidArgumentError, UnsupportedError and
 * UnsupportedValueError: the call has changed nothing. After UnavailableError (a statement has failed, its cause says
 * why) and IndeterminateError (a statement of a write has got no answer) it must be rolled back.
 */
export class OwnStateStore<T> {
  readonly #core: StoreCore<T>;
  readonly #work: OwnWork<T>;

  /** @internal */
  constructor(core: StoreCore<T>, connection: OwnConnection) {
    this.#core = core;
    this.#work = new OwnWork(core, connection);
  }

  /** As `StateStore.load`, as the transaction sees it: its own writes, and what its isolation level shows. */
  load(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#core.observe("load", async () => {
      const { call, at } = await this.#work.begin(key, options);
      const record = await this.#work.read(at, call);
      return record && this.#core.value(record, call);
    });
  }

  /** As `StateStore.loadEntry`, as the transaction sees it. With a `lease`, that is held until the transaction ends. */
  loadEntry(key: string, options?: LoadEntryOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("loadEntry", async () => {
      refuseForgotten(options, "lease");
      const { call, at, protection } = await this.#work.begin(key, options);
      const record = await this.#work.read(at, call, protection);
      return record && this.#core.entry(record, call);
    });
  }

  /** As `StateStore.has`, as the transaction sees it. */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#core.observe("has", async () => {
      const { call, at } = await this.#work.begin(key, options);
      return (await this.#work.send({ op: "get", key: at, keyOnly: true }, call)) !== undefined;
    });
  }

  /**
   * As `StateStore.save`. From then on nobody else changes the entry before the transaction ends. A ttl counts from
   * this call.
   */
  save(key: string, value: T, options?: SaveOptions): Promise<Version> {
    return this.#core.observe("save", async () => {
      refuseForgotten(options, "lease", "if");
      const core = this.#core;
      const condition = resolveCondition(options?.if, key);
      const ttl = resolveEnd(options, core.ttl);
      // A copy is taken at once.
      const encoding = core.encode(value, key, core.instance.call(options));
      const [{ call, at, opened, protection }, encoded] = await Promise.all([this.#work.begin(key, options), encoding]);
      core.checkSize(encoded.payload, key, opened);
      await this.#work.send(core.set(at, encoded, condition, ttl), call, protection);
      return encoded.id;
    });
  }

  /** As `StateStore.delete`. */
  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    return this.#change("delete", key, options, (at) => ({
      op: "delete",
      key: at,
      if: resolveVersion(options?.if, key),
    }));
  }

  /** As `StateStore.touch`. */
  touch(key: string, ttl: Duration | "never", options?: TouchOptions): Promise<boolean> {
    return this.#change("touch", key, options, (at) => ({
      op: "touch",
      key: at,
      if: resolveVersion(options?.if, key),
      ttl: requireTtl(ttl),
    }));
  }

  /** As `StateStore.take`. */
  take(key: string, options?: TakeOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("take", () => take(this.#core, key, options, this.#work));
  }

  /**
   * As `StateStore.update`. `fn` runs once; once more where another has changed the entry since it was read, which
   * nobody can from then on.
   */
  update(
    key: string,
    fn: (current: T) => T | Verdict | Promise<T | Verdict>,
    options?: UpdateOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("update", async () => {
      checkFunction(fn);
      const change = (current: T | undefined): ReturnType<typeof fn> => (current === undefined ? KEEP : fn(current));
      return modify(this.#core, key, change, options, false, this.#work);
    });
  }

  /** As `StateStore.upsert`. `fn` runs as in {@link update}. */
  upsert(
    key: string,
    fn: (current: T | undefined) => T | Verdict | Promise<T | Verdict>,
    options?: UpsertOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("upsert", () => modify(this.#core, key, fn, options, true, this.#work));
  }

  /**
   * Makes sure that a lease is held, at the store, and that nobody else gets one of its locks before the transaction
   * ends: what the application does to its own rows from then on, it does as the holder. The lease must be of the same
   * instance. Rejects with LeaseLostError or FencedError if it is not held.
   */
  check(lease: LeaseLike, options?: CallOptions): Promise<void> {
    return this.#core.observe("check", async () => {
      await this.#work.check(lease, this.#core.instance.call(options));
    });
  }

  #change(
    what: string,
    rawKey: string,
    options: (CallOptions & LeaseOption) | undefined,
    make: (at: Key) => Operation & { readonly key: Key },
  ): Promise<boolean> {
    return this.#core.observe(what, async () => {
      refuseForgotten(options, "lease", "if");
      const op = make(this.#core.at(rawKey));
      const { call, protection } = await this.#work.begin(rawKey, options);
      return (await this.#work.send(op, call, protection)) as boolean;
    });
  }
}
