import { InvalidArgumentError } from "../base/errors.ts";
import { keyId, type Key } from "../base/keys.ts";
import type { Call, Instance } from "../client/index.ts";
import type { Opened, StoredRecord, Ttl } from "../port/index.ts";
import { Host } from "./host.ts";
import { Item } from "./items.ts";
import type { Protection } from "./protection.ts";
import { coreOf, type StateStore } from "./store.ts";
import type { Encoded } from "./values.ts";
import type { View } from "./view.ts";

/** The terms of a transaction. */
export interface TransactionTerms {
  /** The limits of a request that starts now. */
  readonly call: () => Call;
  /** How its lease guards it, if it has one. */
  readonly protection?: Protection | undefined;
  /** A record that need not be read. */
  readonly known?: Found | undefined;
  /** A view that it looks into before it reads, and puts what it has read into. */
  readonly view?: View | undefined;
}

/** The present record of a key. */
export interface Found {
  readonly key: Key;
  readonly record: StoredRecord | undefined;
}

/** The items of a transaction, which say what it has read and is to write, and its calls under way. */
export class Ledger {
  readonly items = new Map<string, Item<unknown>>();
  readonly #instance: Instance;
  readonly #terms: TransactionTerms;
  #unsettled = 0;
  #onSettled: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(instance: Instance, terms: TransactionTerms) {
    this.#instance = instance;
    this.#terms = terms;
  }

  /** The item of a key. Throws InvalidArgumentError for anything but a valid key of a store of this backend. */
  item<T>(store: StateStore<T>, rawKey: string): Item<T> {
    if (this.#ended)
      throw new InvalidArgumentError("the transaction is over: it must not be used after its function ended");
    const core = coreOf(store);
    const key = core.at(rawKey);
    const id = keyId(key);
    const known = this.items.get(id);
    if (known) return known as Item<T>;
    const item = new Item(core, key);
    const own = core.instance === this.#instance || core.instance.backend === this.#instance.backend;
    if (!own) item.reading = this.track(this.#verify(item));
    const { known: fresh } = this.#terms;
    if (fresh && keyId(fresh.key) === id) item.found(fresh.record);
    this.items.set(id, item);
    return item;
  }

  /** Waits until the item can be used. Undefined if it can be used now. */
  ready<T>(item: Item<T>): Promise<void> | undefined {
    if (item.reading ?? item.writing) return item.reading ?? item.writing;
    if (item.read || item.write !== undefined) return undefined;
    const { view } = this.#terms;
    if (view?.knows(item.key)) {
      item.found(view.look(item.key));
      return undefined;
    }
    const record = item.core.read(item.key, this.#terms.call(), undefined, this.#instance);
    if (record instanceof Promise) return (item.reading = this.#read(item, record));
    this.#found(item, record);
    return undefined;
  }

  #found<T>(item: Item<T>, record: StoredRecord | undefined): void {
    const { view } = this.#terms;
    view?.found(item.key, record);
    item.found(view ? view.look(item.key) : record);
  }

  /** Holds a write back. `null` deletes. */
  put<T>(item: Item<T>, encoded: Encoded | null | Promise<Encoded>, ttl: Ttl | undefined): void {
    if (!(encoded instanceof Promise) && !item.writing) return this.#apply(item, encoded, ttl);
    // In the order of the calls, however long a schema takes.
    const writing: Promise<void> = Promise.all([encoded, item.writing]).then(([late]) => {
      if (item.writing === writing) item.writing = undefined;
      this.#apply(item, late, ttl);
    });
    item.writing = this.track(writing);
  }

  /** Counts a call. A failure is noticed even if the call is not awaited. */
  track<R>(work: Promise<R>): Promise<R> {
    this.#unsettled++;
    work.then(this.#succeeded, this.#failed);
    return work;
  }

  /** Resolves when no call is under way, and refuses calls from that moment on. Rejects if a call failed. */
  async settled(): Promise<void> {
    while (this.#unsettled > 0) await new Promise<void>((resolve) => (this.#onSettled = resolve));
    this.#ended = true;
    if (this.#failure) throw this.#failure.error;
  }

  /** Refuses calls from now on. */
  end(): void {
    this.#ended = true;
  }

  /** A record that was read and has changed since, if there is one. */
  async stale(): Promise<Found | undefined> {
    const call = this.#terms.call();
    const read = [...this.items.values()].filter((item) => item.read);
    const checks = await Promise.all(read.map((item) => this.#check(item, call)));
    return checks.find((found) => found !== undefined);
  }

  async #check({ key, record }: Item<unknown>, call: Call): Promise<Found | undefined> {
    const condition = record ? { id: record.id } : ({ absent: true } as const);
    const reply = await this.#instance.execute({ ops: [{ op: "check", key, if: condition }] }, call);
    return !reply.ok && reply.why === "conflict" ? { key, record: reply.current } : undefined;
  }

  async #read<T>(item: Item<T>, record: Promise<StoredRecord | undefined>): Promise<void> {
    try {
      const { view } = this.#terms;
      if (view) await view.read(item.key, record);
      this.#found(item, await record);
    } finally {
      item.reading = undefined;
    }
  }

  /** Refuses a store of another server. */
  async #verify<T>(item: Item<T>): Promise<void> {
    const [own, other] = await Promise.all([this.#instance, item.core.instance].map((one) => this.#opened(one)));
    if (own?.domain !== other?.domain) {
      throw new InvalidArgumentError("a transaction takes only stores of its own backend", { key: item.key.key });
    }
    item.reading = undefined;
  }

  async #opened(instance: Instance): Promise<Opened> {
    const host = Host.of(instance);
    return host.known ?? host.ready(this.#terms.call());
  }

  #apply<T>(item: Item<T>, encoded: Encoded | null, ttl: Ttl | undefined): void {
    item.write = encoded && { ...encoded, ttl };
    item.revision++;
  }

  readonly #succeeded = (): void => {
    if (--this.#unsettled === 0) this.#onSettled?.();
  };

  readonly #failed = (error: unknown): void => {
    this.#failure ??= { error };
    this.#succeeded();
  };
}
