import type { Key, Space } from "../base/keys.ts";
import type { Instance } from "../client/index.ts";
import type { ListedRecord, Operation, StoredRecord } from "../port/index.ts";
import { NameFilter } from "./name-filter.ts";
import { isTagStamp, recordOf } from "./stamps.ts";

/** Records of a step, least and most; how many stamps of them make the next step smaller. */
const smallest = 16;
const largest = 256;
const mostStamps = 1024;
/**
 * How long the version of a tag that no entry bears stays, in ms: a write that read it before may still come, and the
 * next passes see that.
 */
const unusedMs = 3 * 24 * 60 * 60_000;

/** What a step of a pass came to. */
export interface Step {
  /** Where the next one begins; absent after the last. */
  readonly cursor?: string | undefined;
  /** How many records were to be removed, or were given an end, and how many it looked at. */
  readonly changed: number;
  readonly seen: number;
}

/**
 * One way through a cache, in bounded steps. Removes the entries whose stamps are not current: an entry whose id is
 * another by then stays. What it saw of tags tells which versions no entry bears any more.
 */
export class SweepPass {
  readonly #instance: Instance;
  readonly #entries: Space;
  readonly #stamps: Space;
  readonly #borne = new NameFilter();
  #limit = smallest;

  constructor(instance: Instance, entries: Space, stamps: Space) {
    this.#instance = instance;
    this.#entries = entries;
    this.#stamps = stamps;
  }

  /**
   * Removes what is stale of some entries, and sees to it that the stamps of those that never end do not end either.
   */
  async entries(cursor: string | undefined): Promise<Step> {
    const page = await this.#page(this.#entries, cursor);
    const names = new Set<string>();
    for (const { stamps } of page.records) for (const { key } of stamps ?? []) names.add(this.#nameOf(key));
    const current = await this.#read([...names]);
    const lasting = new Map<string, StoredRecord>();
    const stale: ListedRecord[] = [];
    for (const record of page.records) {
      const bears = record.stamps ?? [];
      // What bears something else was not written by a cache: it is left alone.
      if (!bears.every(({ key }) => key.startsWith(this.#stamps.id))) continue;
      if (bears.some(({ key, id }) => current.get(this.#nameOf(key))?.id !== id)) {
        stale.push(record);
        continue;
      }
      for (const { key } of bears) {
        const name = this.#nameOf(key);
        const stamp = current.get(name) as StoredRecord;
        if (isTagStamp(name)) this.#borne.add(name);
        if (record.expiresAt === undefined && stamp.expiresAt !== undefined) lasting.set(name, stamp);
      }
    }
    await Promise.all([
      ...stale.map(({ key, id }) => this.#do({ op: "delete", key: { space: this.#entries, key }, if: { id } })),
      ...[...lasting].map(([name, { id }]) => this.#arm(name, id, undefined)),
    ]);
    this.#fit(names.size);
    return { cursor: page.cursor, changed: stale.length, seen: page.records.length };
  }

  /**
   * Gives an end to versions of tags that would stay for ever and that no entry bears, after {@link entries} has seen
   * all of these.
   */
  async tags(cursor: string | undefined): Promise<Step> {
    const page = await this.#page(this.#stamps, cursor);
    const unused = page.records.filter(
      ({ key, expiresAt }) => isTagStamp(key) && expiresAt === undefined && !this.#borne.has(key),
    );
    const armed = await Promise.all(unused.map(({ key, id }) => this.#arm(key, id, unusedMs)));
    this.#fit(0);
    return { cursor: page.cursor, changed: armed.filter(Boolean).length, seen: page.records.length };
  }

  #page(space: Space, cursor: string | undefined) {
    const query = { space, prefix: "", limit: this.#limit, cursor, keysOnly: true };
    return this.#instance.page(query, this.#instance.ownCall());
  }

  async #read(names: readonly string[]): Promise<ReadonlyMap<string, StoredRecord | undefined>> {
    const call = this.#instance.ownCall();
    const replies = await Promise.all(
      names.map(async (name) => this.#instance.execute({ ops: [{ op: "get", key: this.#stamp(name) }] }, call)),
    );
    return new Map(names.map((name, i) => [name, recordOf(replies[i] as (typeof replies)[number])]));
  }

  /** Lets a stamp live that long from now on if it is still the same. */
  #arm(name: string, id: string, ttl: number | undefined): Promise<boolean> {
    return this.#do({ op: "set", key: this.#stamp(name), id, value: "", if: { id }, ttl });
  }

  async #do(op: Operation): Promise<boolean> {
    return (await this.#instance.execute({ ops: [op] }, this.#instance.ownCall())).ok;
  }

  #stamp(name: string): Key {
    return { space: this.#stamps, key: name };
  }

  #nameOf(keyId: string): string {
    return keyId.slice(this.#stamps.id.length);
  }

  /** Makes the next step as large as this one's stamps suggest: what is read at once is bounded. */
  #fit(stamps: number): void {
    const large = stamps > mostStamps;
    this.#limit = large ? Math.max(smallest, this.#limit / 2) : Math.min(largest, this.#limit * 2);
  }
}
