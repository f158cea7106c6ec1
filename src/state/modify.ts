import { InvalidArgumentError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import { refuseForgotten, within, type Call } from "../client/index.ts";
import type { Condition, Opened, Operation, StoredRecord } from "../port/index.ts";
import type { StoreCore } from "./core.ts";
import { Entry } from "./entry.ts";
import { checkFunction, resolveTtl, type UpdateOptions } from "./options.ts";
import type { Protection } from "./protection.ts";
import { KEEP, REMOVE, type Verdict } from "./symbols.ts";
import { isThenable } from "./thenable.ts";
import type { Turn } from "./turns.ts";
import type { Encoded } from "./values.ts";

/** What decides about an entry; it may run several times. */
export type Change<T> = (current: T | undefined) => T | Verdict | Promise<T | Verdict>;

/** The write that a function asked for, and the entry that it leaves if it succeeds. */
interface Step<T> {
  readonly op: Operation & { readonly key: Key };
  readonly entry: Entry<T> | undefined;
}

/**
 * Reads, has `fn` decide, writes on the condition that nothing changed meanwhile, and does it again on a conflict, until the
 * deadline. The time that `fn` takes does not count against the requests, but no new try starts after the deadline.
 */
export async function modify<T>(
  core: StoreCore<T>,
  rawKey: string,
  fn: Change<T>,
  options: UpdateOptions | undefined,
  creates: boolean,
): Promise<Entry<T> | undefined> {
  refuseForgotten(options, "lease");
  checkFunction(fn);
  const { instance, host } = core;
  instance.assertTaking();
  const call = instance.call(options);
  const key = core.at(rawKey);
  const ttl = resolveTtl(options?.ttl, "keep" as const);
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const run = instance.runs.start();
  const update = new Update<T>(core, key, (current) => within(run, fn, current), ttl, opened, call);
  let turn: Turn | undefined;
  try {
    const taken = host.turns.take(key, call);
    turn = taken instanceof Promise ? await taken : taken;
    return await update.run(creates, protection);
  } finally {
    turn?.end();
    instance.runs.end(run);
  }
}

class Update<T> {
  readonly #core: StoreCore<T>;
  readonly #key: Key;
  readonly #fn: Change<T>;
  readonly #ttl: number | "keep" | undefined;
  readonly #opened: Opened;
  readonly #call: Call;
  /** The call as its requests see it: put off by the time that the function took. */
  #request: Call;

  constructor(
    core: StoreCore<T>,
    key: Key,
    fn: Change<T>,
    ttl: number | "keep" | undefined,
    opened: Opened,
    call: Call,
  ) {
    this.#core = core;
    this.#key = key;
    this.#fn = fn;
    this.#ttl = ttl;
    this.#opened = opened;
    this.#call = this.#request = call;
  }

  async run(creates: boolean, protection: Protection | undefined): Promise<Entry<T> | undefined> {
    const core = this.#core;
    const reading = core.read(this.#key, this.#call, protection);
    let record = reading instanceof Promise ? await reading : reading;
    for (;;) {
      if (!record && !creates) return undefined;
      const decoding = record && core.value(record, this.#call);
      const deciding = this.#decide(decoding instanceof Promise ? await decoding : decoding);
      const next = deciding instanceof Promise ? await deciding : deciding;
      if (next === KEEP) return record && core.entry(record, this.#call);
      if (next === REMOVE && !record) return undefined;
      const making = this.#step(next, record);
      const step = making instanceof Promise ? await making : making;
      const sent = core.write(step.op, this.#request, protection);
      const reply = sent instanceof Promise ? await sent : sent;
      if (reply.ok) return step.entry;
      if (reply.why !== "conflict") throw core.fenced(this.#key.key);
      record = reply.current;
      if (core.instance.time.monotonic() >= this.#call.deadline) {
        throw core.conflict(this.#key.key, "the entry kept being changed by others until the timeout");
      }
    }
  }

  #decide(current: T | undefined): T | Verdict | Promise<T | Verdict> {
    const { instance, host } = this.#core;
    host.running.assertLive();
    const start = instance.time.monotonic();
    const made = this.#fn(current);
    if (!isThenable(made)) return this.#decided(made, start);
    return host.running.until(made, this.#call.signal).then((next) => this.#decided(next, start));
  }

  #decided(next: T | Verdict, start: number): T | Verdict {
    const { signal, deadline } = this.#request;
    this.#request = { signal, deadline: deadline + this.#core.instance.time.monotonic() - start };
    return next;
  }

  #step(next: T | Verdict, record: StoredRecord | undefined): Step<T> | Promise<Step<T>> {
    const key = this.#key;
    if (next === undefined) {
      throw new InvalidArgumentError("the function returned undefined: return the new value, KEEP or REMOVE", {
        key: key.key,
      });
    }
    const condition = record ? { id: record.id } : ({ absent: true } as const);
    if (next === REMOVE) return { op: { op: "delete", key, if: condition }, entry: undefined };
    const encoded = this.#core.encode(next, key.key, this.#call);
    if (encoded instanceof Promise) return encoded.then((late) => this.#written(late, condition, record));
    return this.#written(encoded, condition, record);
  }

  #written(encoded: Encoded, condition: Condition, record: StoredRecord | undefined): Step<T> {
    const core = this.#core;
    const key = this.#key;
    core.checkSize(encoded.payload, key.key, this.#opened);
    const ttl = this.#ttl === "keep" && !record ? core.ttl : this.#ttl;
    const expiresAt = ttl === "keep" ? record?.expiresAt : core.expiry(ttl);
    const entry = new Entry(key.key, core.values.reopen(encoded.payload, key.key), encoded.id, expiresAt);
    return { op: core.set(key, encoded, condition, ttl), entry };
  }
}
