import { ConflictError } from "../base/errors.ts";
import type { Duration } from "../base/durations.ts";
import type { Key } from "../base/keys.ts";
import { OwnCalls, refuseForgotten, refuseUnknown, within, type Call, type CallOptions } from "../client/index.ts";
import type { Operation, OwnConnection, Result, StoredRecord } from "../port/index.ts";
import { resolveCondition, resolveVersion } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry, Version } from "./entry.ts";
import type { EntryWork } from "./entry-work.ts";
import { endsOf, Update, type Change } from "./modify.ts";
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
import type { Protection } from "./protection.ts";
import { KEEP, type Verdict } from "./symbols.ts";
import { Taking } from "./taking.ts";
import { View } from "./view.ts";

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
  readonly #calls: OwnCalls;

  /** @internal */
  constructor(core: StoreCore<T>, connection: OwnConnection) {
    this.#core = core;
    this.#calls = new OwnCalls(core.instance, connection);
  }

  /** As `StateStore.load`, as the transaction sees it: its own writes, and what its isolation level shows. */
  load(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#core.observe("load", async () => {
      const { call, at } = await this.#begin(key, options);
      const record = await this.#read(at, call);
      return record && this.#core.value(record, call);
    });
  }

  /** As `StateStore.loadEntry`, as the transaction sees it. With a `lease`, that is held until the transaction ends. */
  loadEntry(key: string, options?: LoadEntryOptions): Promise<Entry<T> | undefined> {
    return this.#core.observe("loadEntry", async () => {
      refuseForgotten(options, "lease");
      const { call, at, protection } = await this.#begin(key, options);
      const record = await this.#read(at, call, protection);
      return record && this.#core.entry(record, call);
    });
  }

  /** As `StateStore.has`, as the transaction sees it. */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#core.observe("has", async () => {
      const { call, at } = await this.#begin(key, options);
      return (await this.#send({ op: "get", key: at, keyOnly: true }, call)) !== undefined;
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
      const [{ call, at, opened, protection }, encoded] = await Promise.all([this.#begin(key, options), encoding]);
      core.checkSize(encoded.payload, key, opened);
      await this.#send(core.set(at, encoded, condition, ttl), call, protection);
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
    return this.#core.observe("take", async () => {
      refuseForgotten(options, "lease");
      refuseUnknown(options, "if");
      const { call, at, protection } = await this.#begin(key, options);
      return this.#play(new Taking(this.#core, at, protection, call), at, call, protection);
    });
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
      return this.#modify(key, change, options, false);
    });
  }

  /** As `StateStore.upsert`. `fn` runs as in {@link update}. */
  upsert(
    key: string,
    fn: (current: T | undefined) => T | Verdict | Promise<T | Verdict>,
    options?: UpsertOptions,
  ): Promise<Entry<T> | undefined> {
    return this.#core.observe("upsert", () => this.#modify(key, fn, options, true));
  }

  /**
   * Makes sure that a lease is held, at the store, and that nobody else gets one of its locks before the transaction
   * ends: what the application does to its own rows from then on, it does as the holder. The lease must be of the same
   * instance. Rejects with LeaseLostError or FencedError if it is not held.
   */
  check(lease: LeaseLike, options?: CallOptions): Promise<void> {
    return this.#core.observe("check", async () => {
      await this.#calls.check(lease, this.#core.instance.call(options));
    });
  }

  async #begin(rawKey: string, options: (CallOptions & LeaseOption) | undefined): Promise<Begun> {
    const core = this.#core;
    const call = core.instance.call(options);
    const at = core.at(rawKey);
    const opened = core.host.known ?? (await core.host.ready(call));
    return { call, at, opened, protection: await core.protection(options?.lease, opened, call) };
  }

  async #read(at: Key, call: Call, protection?: Protection): Promise<StoredRecord | undefined> {
    return (await this.#send({ op: "get", key: at }, call, protection)) as StoredRecord | undefined;
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
      const { call, protection } = await this.#begin(rawKey, options);
      return (await this.#send(op, call, protection)) as boolean;
    });
  }

  /** The result of an operation. Throws ConflictError and FencedError. */
  async #send(op: Operation & { readonly key: Key }, call: Call, protection?: Protection): Promise<Result> {
    return this.#core.passed(await this.#execute([op], [op.key], call, protection), op.key.key);
  }

  #execute(
    ops: readonly Operation[],
    covered: readonly Key[],
    call: Call,
    protection: Protection | undefined,
  ): ReturnType<OwnCalls["execute"]> {
    if (!protection) return this.#calls.execute({ ops }, call);
    return protection.send(() => this.#calls.execute(protection.cover(ops, covered), call), true);
  }

  async #modify(
    rawKey: string,
    fn: Change<T>,
    options: UpsertOptions | undefined,
    creates: boolean,
  ): Promise<Entry<T> | undefined> {
    refuseForgotten(options, "lease");
    refuseUnknown(options, "if");
    checkFunction(fn);
    const core = this.#core;
    const { instance } = core;
    instance.assertTaking();
    const ends = endsOf(core, options, creates);
    const { call, at, opened, protection } = await this.#begin(rawKey, options);
    const userFunction = instance.userFunctions.start();
    const own: Change<T> = (current) => within(userFunction, fn, current);
    try {
      return await this.#play(new Update(core, at, own, ends, opened, protection, call), at, call, protection);
    } finally {
      instance.userFunctions.end(userFunction);
    }
  }

  /** Reads, lets the work decide, and writes on the condition that nothing has changed; again after a conflict. */
  async #play<R>(work: Work<R>, at: Key, call: Call, protection: Protection | undefined): Promise<R> {
    const { instance, host } = this.#core;
    const view = new View();
    view.found(at, await this.#read(at, call));
    for (let tries = 1; ; tries++) {
      host.running.assertLive();
      const result = await work.play(view);
      // A record that was only read is what it was at that moment, where no lease has to be checked.
      if (!protection && view.plain) return result;
      const { ops, covered } = view.operations();
      const reply = await this.#execute(ops, covered, call, protection);
      if (reply.ok) return result;
      if (reply.why !== "conflict") throw this.#core.fenced(at.key);
      if (instance.time.monotonic() >= call.deadline) {
        const context = { backend: instance.backend.name, key: at.key, tries };
        throw new ConflictError("the entry was changed by another time and again: nothing was written", context);
      }
      // It is locked now, so the next try finds it as it is.
      view.changed(at, reply.current);
    }
  }
}

/** A call that has begun. */
interface Begun {
  readonly call: Call;
  readonly at: Key;
  readonly opened: Parameters<StoreCore<unknown>["protection"]>[1];
  readonly protection: Protection | undefined;
}

type Work<R> = Pick<EntryWork<unknown>, "key"> & { play(view: View): R | Promise<R> };
