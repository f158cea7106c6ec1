import { drawId } from "../base/ids.ts";
import { space, type Key, type Space } from "../base/keys.ts";
import type { Call, Instance, Reply } from "../client/index.ts";
import type { Condition, ListedRecord, Opened, Operation, StoredRecord } from "../port/index.ts";
import { DELETED, DELETED_MARGIN_MS, DELETED_MS, isDeleted } from "./deleted.ts";
import { EntryWriter } from "./entry-writer.ts";
import type { CacheSettings } from "./options.ts";
import { Renewals } from "./renewals.ts";
import { Room, type TierEvents } from "./room.ts";
import { CACHE_STAMP, EPOCH_STAMP, recordOf, StampRecords, tagStamp, type StampRecord } from "./stamps.ts";
import { Sweeper } from "./sweeper.ts";
import type { Entry, EntryWrite, Found, Ground, Kept, Shown, Stamps, Tier } from "./tier.ts";

type GetOperation = Extract<Operation, { op: "get" }>;

/** The store of the backend as a tier. */
export class StoreTier implements Tier {
  readonly #instance: Instance;
  readonly #space: Space;
  readonly #stamps: StampRecords;
  readonly #renewals: Renewals;
  readonly #sweeper: Sweeper;
  readonly #room: Room;
  readonly #writer: EntryWriter;

  constructor(instance: Instance, name: string, settings: CacheSettings, events: TierEvents) {
    this.#instance = instance;
    this.#space = space("cache", settings.service, name);
    this.#stamps = new StampRecords(instance, settings.service, name, (stamp) => this.#room.usedStamp(stamp));
    this.#room = new Room(instance, this.#space, this.#stamps.space, settings.maxItems, events);
    this.#writer = new EntryWriter(instance, this.#space, this.#stamps, this.#room);
    this.#sweeper = new Sweeper(instance, this.#space, this.#stamps.space, (error) =>
      events.failed("sweep", undefined, error),
    );
    this.#renewals = new Renewals(instance, this.#stamps, this.#sweeper);
  }

  get inProcess(): boolean {
    return this.#room.inProcess;
  }

  peek(key: string): Found | undefined {
    if (!this.inProcess) return undefined;
    const outcome = this.#instance.session.executeNow?.({ ops: [this.#get(key, true)] });
    return outcome?.ok ? this.#found(key, outcome.results[0] as StoredRecord | undefined) : undefined;
  }

  read(key: string, call: Call): Found | undefined | Promise<Found | undefined> {
    const reply = this.#instance.execute({ ops: [this.#get(key, true)] }, call);
    if (reply instanceof Promise) return reply.then((later) => this.#found(key, recordOf(later)));
    return this.#found(key, recordOf(reply));
  }

  has(key: string, call: Call): boolean | Promise<boolean> {
    const get = { op: "get", key: this.#key(key), stamped: true, keyOnly: this.#travels } as const;
    const reply = this.#instance.execute({ ops: [get] }, call);
    if (reply instanceof Promise) return reply.then((later) => this.#found(key, recordOf(later)) !== undefined);
    return this.#found(key, recordOf(reply)) !== undefined;
  }

  async show(key: string, call: Call): Promise<Shown | undefined> {
    const record = recordOf(await this.#instance.execute({ ops: [this.#get(key, "show")] }, call));
    if (!this.#found(key, record)) return undefined;
    const { value, expiresAt, stamps } = record as ListedRecord;
    return { value, expiresAt, tags: this.#stamps.tagsOf(stamps) };
  }

  async prepare(keys: readonly string[], tags: readonly string[], call: Call): Promise<Ground> {
    const { time } = this.#instance;
    const since = time.monotonic();
    const sinceWall = time.wall();
    const conditions = new Map<string, Condition>();
    const stale = new Map<string, Found>();
    const look = async (key: string): Promise<void> => {
      // As it is, current or not: what is there now may be replaced, what comes later may not.
      const record = recordOf(await this.#instance.execute({ ops: [this.#get(key, false)] }, call));
      conditions.set(key, record ? { id: record.id } : { absent: true });
      if (record && !isDeleted(record)) stale.set(key, record);
    };
    // Known from here on, so that what is loaded can be sent at once.
    const ready = this.#room.ready(call);
    const [stamps] = await Promise.all([this.#readStamps(tags, call), ready, ...keys.map(look)]);
    return { since, sinceWall, tags, stamps, conditions, stale };
  }

  extend(ground: Ground, tags: readonly string[], call: Call): Ground | Promise<Ground> {
    const late = tags.filter((tag) => !ground.tags.includes(tag));
    return late.length === 0 ? ground : this.#extend(ground, late, call);
  }

  async #extend(ground: Ground, tags: readonly string[], call: Call): Promise<Ground> {
    const { epoch } = ground.stamps;
    const { capabilities } = await this.#opened(call);
    const stamps = await this.#stamps.read(tags.map(tagStamp), call);
    // These were read after the load, so no invalidation may have come since before it. Where a group cannot hold both
    // records the entry bears the epoch itself, and ends with the next invalidation of whatever tag.
    if (capabilities.transact !== "full") return { ...ground, late: { stamps: [...stamps, epoch], checks: [] } };
    return { ...ground, late: { stamps, checks: [{ op: "check", key: epoch.key, if: { id: epoch.id } }] } };
  }

  // Sends the entries before it returns.
  async keep(ground: Ground, entries: readonly Entry[], ttl: number, call: Call): Promise<readonly Kept[]> {
    const { stamps: read, late, conditions } = ground;
    const { time } = this.#instance;
    // By the clock that went further: the monotonic one stands still while the machine sleeps.
    const passed = Math.max(time.monotonic() - ground.since, time.wall() - ground.sinceWall);
    // An absent entry may have been there and been deleted meanwhile, and what is left of that be gone as well.
    const forgotten = passed > DELETED_MS - DELETED_MARGIN_MS || this.#room.forgotAt >= ground.since;
    const stamps = [read.cache, ...read.tags, ...(late?.stamps ?? [])];
    const checks = late?.checks;
    const writes = entries.map((entry) => {
      const condition = conditions.get(entry.key);
      const lost = !condition || (forgotten && "absent" in condition);
      return lost ? undefined : { entry, stamps, ttl, checks, if: condition };
    });
    const kept = await this.#writer.write(writes, call);
    if (ttl === Infinity) this.#sweeper.remind();
    return kept;
  }

  async write(entries: readonly EntryWrite[], call: Call): Promise<readonly Kept[]> {
    const { capabilities } = await this.#opened(call);
    for (const entry of entries) {
      const error = this.#writer.tooLarge(entry, capabilities);
      if (error) throw error;
    }
    const first = entries[0]?.tags ?? [];
    // Mostly all of them have the tags of the call.
    const same = entries.every(({ tags }) => tags === first);
    const names = same ? first : [...new Set(entries.flatMap(({ tags }) => tags))];
    const [{ cache, tags: read }] = await Promise.all([this.#readStamps(names, call), this.#room.ready(call)]);
    const ofAll = [cache, ...read];
    const byTag = same ? undefined : new Map(names.map((name, i) => [name, read[i] as StampRecord]));
    const bears = (tags: readonly string[]): readonly StampRecord[] =>
      byTag ? [cache, ...tags.map((tag) => byTag.get(tag) as StampRecord)] : ofAll;
    const writes = entries.map((entry) => ({ entry, stamps: bears(entry.tags), ttl: entry.ttl }));
    const kept = await this.#writer.write(writes, call);
    if (entries.some(({ ttl }) => ttl === Infinity)) this.#sweeper.remind();
    return kept;
  }

  async touch(key: string, ttl: number, call: Call): Promise<boolean> {
    const look = { ...this.#get(key, "show"), keyOnly: true };
    const record = recordOf(await this.#instance.execute({ ops: [look] }, call));
    if (!this.#found(key, record)) return false;
    const { id, stamps } = record as ListedRecord;
    const at = { op: "touch", key: this.#key(key), if: { id }, stamped: true } as const;
    const touch: Operation = ttl === Infinity ? at : { ...at, ttl };
    const [reply, bears] = await Promise.all([
      this.#instance.execute({ ops: [touch] }, call),
      this.#stamps.read(this.#stamps.namesOf(stamps), call),
    ]);
    // What has come in its place has an end of its own: it was touched before that.
    if (!reply.ok) return reply.why === "conflict" && reply.current !== undefined && !isDeleted(reply.current);
    if (reply.results[0] !== true) return false;
    await this.#stamps.outlive(bears, ttl, call);
    if (ttl === Infinity) this.#sweeper.remind();
    return true;
  }

  async remove(key: string, takes: boolean, call: Call): Promise<Found | undefined> {
    const get = { op: "get", key: this.#key(key), stamped: true, keyOnly: !takes && this.#travels } as const;
    // Whoever finds it instead of an entry knows that there was one.
    const mark: Operation = { op: "set", key: get.key, id: DELETED + drawId(), value: "", ttl: DELETED_MS };
    const ready = this.#room.ready(call);
    if (ready) await ready;
    const reply: Reply | Promise<Reply> = this.#instance.execute({ ops: [get, mark] }, call);
    // At once in this process: what is written, deleted and discarded is counted in the order in which it was done.
    const record = recordOf(reply instanceof Promise ? await reply : reply);
    this.#room.deleted(key);
    return record && !isDeleted(record) ? record : undefined;
  }

  async invalidate(tags: readonly string[], call: Call): Promise<void> {
    await this.#room.ready(call);
    await this.#renewals.tags(tags, call);
  }

  async clear(call: Call): Promise<void> {
    await this.#renewals.cache(call);
  }

  async #opened(call: Call): Promise<Opened> {
    return this.#instance.known ?? this.#instance.opened(call);
  }

  async #readStamps(tags: readonly string[], call: Call): Promise<Stamps> {
    const [cache, epoch, ...rest] = await this.#stamps.read([CACHE_STAMP, EPOCH_STAMP, ...tags.map(tagStamp)], call);
    return { cache: cache as StampRecord, epoch: epoch as StampRecord, tags: rest };
  }

  /** Whether a value that is read has a way to go: in this process it costs more to leave it out. */
  get #travels(): boolean {
    return !this.inProcess;
  }

  #get(key: string, stamped: boolean | "show"): GetOperation {
    return { op: "get", key: this.#key(key), stamped };
  }

  #key(key: string): Key {
    return { space: this.#space, key };
  }

  #found(key: string, record: StoredRecord | undefined): Found | undefined {
    if (!record || isDeleted(record)) return undefined;
    this.#room.used(key);
    return record;
  }
}
