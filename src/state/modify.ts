import { InvalidArgumentError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import { refuseForgotten, refuseUnknown, within, type Call } from "../client/index.ts";
import type { Opened, StoredRecord, Ttl } from "../port/index.ts";
import type { StoreCore } from "./core.ts";
import { entryOf, type Entry } from "./entry.ts";
import { EntryWork, inLine, type Runner } from "./entry-work.ts";
import { checkFunction, checkKeepTtl, resolveEnd, type UpsertOptions } from "./options.ts";
import type { Protection } from "./protection.ts";
import { KEEP, REMOVE, type Verdict } from "./symbols.ts";
import { isThenable } from "./thenable.ts";
import type { Encoded } from "./values.ts";
import type { View } from "./view.ts";

/** The function that decides about an entry. It may run several times. */
export type Change<T> = (current: T | undefined) => T | Verdict | Promise<T | Verdict>;

/**
 * Reads the entry, lets `fn` decide, and writes on the condition that nothing changed meanwhile; again after a
 * conflict, until the deadline. Calls of one process that wait for one key are read once, run one after another and
 * written together. The time of `fn` does not count against the requests, but no new try starts after the deadline.
 * `runner`: where that goes on, if not in the line of the key.
 */
export async function modify<T>(
  core: StoreCore<T>,
  rawKey: string,
  fn: Change<T>,
  options: UpsertOptions | undefined,
  creates: boolean,
  runner: Runner<T> = inLine,
): Promise<Entry<T> | undefined> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  checkFunction(fn);
  const { instance, host } = core;
  instance.assertTaking();
  const call = instance.call(options);
  const key = core.at(rawKey);
  const ends = endsOf(core, options, creates);
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const userFunction = instance.userFunctions.start();
  const own: Change<T> = (current) => within(userFunction, fn, current);
  try {
    const update = new Update(core, key, own, ends, opened, protection, call);
    return await runner.run(update, { core, lease: options?.lease, call, at: key, opened, protection });
  } finally {
    instance.userFunctions.end(userFunction);
  }
}

/** The ttl of the write. */
interface Ends {
  readonly existing: Ttl | undefined;
  readonly created: Ttl | undefined;
  /** Whether an entry is created where there is none. */
  readonly creates: boolean;
}

/** What the options say of the ttl. Throws InvalidArgumentError. */
function endsOf<T>(core: StoreCore<T>, options: UpsertOptions | undefined, creates: boolean): Ends {
  const end = resolveEnd(options, "keep" as const);
  return {
    existing: checkKeepTtl(options) ? "keep" : end,
    created: end === "keep" ? core.ttl : end,
    creates,
  };
}

/** One change of one entry. */
class Update<T> extends EntryWork<T> {
  readonly #fn: Change<T>;
  readonly #ends: Ends;
  readonly #opened: Opened;

  constructor(
    core: StoreCore<T>,
    at: Key,
    fn: Change<T>,
    ends: Ends,
    opened: Opened,
    protection: Protection | undefined,
    call: Call,
  ) {
    super(core, at, protection, call);
    this.#fn = fn;
    this.#ends = ends;
    this.#opened = opened;
  }

  play(view: View): Entry<T> | undefined | Promise<Entry<T> | undefined> {
    const record = view.look(this.at);
    if (!record && !this.#ends.creates) return undefined;
    const decoding = record && this.core.value(record, this.call);
    if (!(decoding instanceof Promise)) return this.#decide(view, record, decoding);
    return decoding.then((current) => this.#decide(view, record, current));
  }

  #decide(
    view: View,
    record: StoredRecord | undefined,
    current: T | undefined,
  ): Entry<T> | undefined | Promise<Entry<T> | undefined> {
    const made = this.#fn(current);
    if (!isThenable(made)) return this.#decided(view, record, made);
    const { running } = this.core.host;
    return running.until(made, this.call.signal).then((next) => this.#decided(view, record, next));
  }

  #decided(
    view: View,
    record: StoredRecord | undefined,
    next: T | Verdict,
  ): Entry<T> | undefined | Promise<Entry<T> | undefined> {
    const core = this.core;
    const key = this.at;
    if (next === KEEP) return record && core.entry(record, this.call);
    if (next === REMOVE) {
      if (record) view.put(core, key, null, undefined);
      return undefined;
    }
    if (next === undefined) {
      throw new InvalidArgumentError("the function returned undefined: return the new value, KEEP or REMOVE", {
        key: key.key,
      });
    }
    const encoded = core.encode(next, key.key, this.call);
    if (encoded instanceof Promise) return encoded.then((late) => this.#left(view, record, late));
    return this.#left(view, record, encoded);
  }

  #left(view: View, record: StoredRecord | undefined, encoded: Encoded): Entry<T> {
    const core = this.core;
    const key = this.at;
    core.checkSize(encoded.payload, key.key, this.#opened);
    const left = view.put(core, key, encoded, record ? this.#ends.existing : this.#ends.created) as StoredRecord;
    return entryOf(left, core.values.reopen(encoded.payload, key.key));
  }
}
