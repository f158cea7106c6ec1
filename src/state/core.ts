import { ConflictError, FencedError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import { checkKey, space, type Key, type Space } from "../base/keys.ts";
import {
  Diagnostics,
  executeWrite,
  tooLarge,
  Write,
  type Call,
  type Instance,
  type Reply,
  type Source,
} from "../client/index.ts";
import type { Condition, Group, Opened, Operation, Payload, Result, StoredRecord, Ttl } from "../port/index.ts";
import { entryOf, type Entry, type Version } from "./entry.ts";
import { Host } from "./host.ts";
import { resolveOptions, type StateStoreOptions } from "./options.ts";
import { protectionOf, type Protection } from "./protection.ts";
import { Put, Single } from "./put.ts";
import { Values, type Encoded } from "./values.ts";
import type { View } from "./view.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

const diagnostics = new Diagnostics("state");

/** The version of what was stored. */
class Save<T> extends Write<Version> {
  readonly #core: StoreCore<T>;
  readonly #key: string;
  readonly #version: Version;

  constructor(core: StoreCore<T>, group: Group, call: Call, key: string, version: Version) {
    super(core.instance, group, call);
    this.#core = core;
    this.#key = key;
    this.#version = version;
  }

  read(reply: Reply): Version {
    this.#core.passed(reply, this.#key);
    return this.#version;
  }
}

/** The inside of one store: its space, its codec and schema, and how its requests are made. */
export class StoreCore<T> {
  readonly instance: Instance;
  readonly host: Host;
  readonly space: Space;
  /** The locks by which processes take turns to change an entry. */
  readonly turns: Space;
  readonly source: Source;
  readonly values: Values<T>;
  /** In ms; `undefined`: entries do not expire. */
  readonly ttl: number | undefined;

  constructor(instance: Instance, name: string, options: StateStoreOptions<T> | undefined) {
    const resolved = resolveOptions(options);
    this.instance = instance;
    this.host = Host.of(instance);
    this.space = space("state", resolved.service, name);
    this.turns = space("turn", resolved.service, name);
    this.source = { name, service: resolved.service, backend: instance.backend.name };
    this.values = new Values(resolved, instance.backend.name);
    this.ttl = resolved.ttl;
  }

  /** Whether somebody listens to the calls of the store. */
  get observed(): boolean {
    return diagnostics.active;
  }

  /** Runs a call, and publishes its message if somebody listens. */
  observe<R>(operation: string, fn: () => Promise<R>): Promise<R> {
    return diagnostics.active ? diagnostics.observe(this.source, operation, fn) : fn();
  }

  /** The key as the port has it. Throws InvalidArgumentError for anything but a valid key. */
  at(key: string): Key {
    return { space: this.space, key: checkKey(key) };
  }

  /** How the lease of a call guards it, if there is one. */
  protection(lease: unknown, opened: Opened, call: Call): Protection | Promise<Protection> | undefined {
    return lease === undefined ? undefined : protectionOf(lease, this.instance, opened, call);
  }

  /** The record of a key. It is read through `instance`, if another instance of the same store is given. */
  read(
    key: Key,
    call: Call,
    protection?: Protection,
    instance: Instance = this.instance,
  ): StoredRecord | undefined | Promise<StoredRecord | undefined> {
    const get = { op: "get", key } as const;
    if (protection) return this.#readUnder(protection, get, call);
    const reply = instance.execute({ ops: [get] }, call);
    if (reply instanceof Promise) return reply.then((late) => this.passed(late, key.key) as StoredRecord | undefined);
    return this.passed(reply, key.key) as StoredRecord | undefined;
  }

  /** Reads the record of a key into a view. */
  show(view: View, key: Key, call: Call, protection: Protection | undefined): void | Promise<void> {
    if (view.knows(key)) return undefined;
    const reading = this.read(key, call, protection);
    if (reading instanceof Promise) return reading.then((record) => view.found(key, record));
    view.found(key, reading);
    return undefined;
  }

  /** The value of a key. It costs one promise, for there may be thousands under way. */
  load(key: Key, call: Call): Promise<T | undefined> {
    const reply = this.instance.execute({ ops: [{ op: "get", key }] }, call);
    const value = (late: Reply): T | undefined | Promise<T> => {
      const record = this.passed(late, key.key) as StoredRecord | undefined;
      return record && this.value(record, call);
    };
    return reply instanceof Promise ? reply.then(value) : Promise.resolve(value(reply));
  }

  async #readUnder(
    protection: Protection,
    get: Operation & { readonly key: Key },
    call: Call,
  ): Promise<StoredRecord | undefined> {
    const group = protection.cover([get], [get.key]);
    try {
      const reply = await protection.send(() => executeWrite(this.instance, group, call));
      return this.passed(reply, get.key.key) as StoredRecord | undefined;
    } catch (error) {
      if (!isHoldfastError(error, "INDETERMINATE")) throw error;
      // A floor may have been raised. A lease that is held may do that at any time, so for the caller only a read has
      // failed.
      call.signal?.throwIfAborted();
      const { backend } = this.source;
      throw new UnavailableError("the entry could not be read", { backend, key: get.key.key, cause: error });
    }
  }

  /** Sends one write of one key. A refusal is in the reply, but a lease that is over is FencedError. */
  write(op: Operation & { readonly key: Key }, call: Call, protection: Protection | undefined): Reply | Promise<Reply> {
    if (!protection) return executeWrite(this.instance, { ops: [op] }, call);
    const group = protection.cover([op], [op.key]);
    return protection
      .send(() => executeWrite(this.instance, group, call))
      .then((reply) => this.unfenced(reply, op.key.key));
  }

  /**
   * Stores an encoded value without a lease, and gives its version. It costs one promise, for there may be thousands
   * under way.
   */
  save(
    key: Key,
    encoded: Encoded,
    condition: Condition | undefined,
    ttl: Ttl | undefined,
    call: Call,
  ): Promise<Version> {
    const group = new Single(this.set(key, encoded, condition, ttl));
    const version = this.instance.execute(group, call, new Save(this, group, call, key.key, encoded.id));
    return version instanceof Promise ? version : Promise.resolve(version);
  }

  /** The operation that stores an encoded value. */
  set(key: Key, { id, payload }: Encoded, condition: Condition | undefined, ttl: Ttl | undefined): SetOperation {
    return new Put(key, id, payload, condition, ttl);
  }

  /** Refuses a value over the backend's limit. */
  checkSize(payload: Payload, key: string, opened: Opened): void {
    const error = tooLarge(payload, key, opened.capabilities, this.source.backend);
    if (error) throw error;
  }

  /** The result of the last operation of a reply. Throws the error of a reply that is a refusal. */
  passed(reply: Reply, key: string): Result {
    if (reply.ok) return reply.results[reply.results.length - 1];
    if (reply.why === "conflict")
      throw this.conflict(
        key,
        reply.current ? "the entry is there, and not of the version asked for" : "there is no entry",
      );
    throw this.fenced(key);
  }

  /** The reply. Throws FencedError if the lease was refused. */
  unfenced(reply: Reply, key: string): Reply {
    if (!reply.ok && reply.why === "fenced") throw this.fenced(key);
    return reply;
  }

  /**
   * A value ready to be stored. While an asynchronous schema checks it, the signal of the call or the end of the
   * instance may come first.
   */
  encode(value: unknown, key: string, call: Call): Encoded | Promise<Encoded> {
    const encoded = this.values.encode(value, key);
    return encoded instanceof Promise ? this.host.running.until(encoded, call.signal) : encoded;
  }

  /** The value of a record. Asynchronous as {@link encode} is. */
  value(record: StoredRecord, call: Call): T | Promise<T> {
    const value = this.values.decode(record);
    return value instanceof Promise ? this.host.running.until(value, call.signal) : value;
  }

  /** The entry of a record. Asynchronous as {@link encode} is. */
  entry(record: StoredRecord, call: Call): Entry<T> | Promise<Entry<T>> {
    const value = this.value(record, call);
    return value instanceof Promise ? value.then((late) => entryOf(record, late)) : entryOf(record, value);
  }

  /** When an entry that is written now expires. By this machine's clock, unless the call gave the time. */
  expiry(ttl: Exclude<Ttl, "keep"> | undefined): number | undefined {
    if (ttl === undefined) return undefined;
    return typeof ttl === "number" ? this.instance.time.wall() + ttl : ttl.at;
  }

  conflict(key: string, why: string): ConflictError {
    return new ConflictError(`${why}: nothing was written`, { backend: this.source.backend, key });
  }

  fenced(key: string): FencedError {
    return new FencedError("the lease is no longer held: nothing was written", { backend: this.source.backend, key });
  }
}
