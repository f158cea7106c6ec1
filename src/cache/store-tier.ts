import { drawId } from "../base/ids.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { space, utf8Length, type Key, type Space } from "../base/keys.ts";
import { executeWrite, type Call, type Instance } from "../client/index.ts";
import type { Capabilities, Condition, Group, Opened, Operation, StoredRecord } from "../port/index.ts";
import { DELETED, DELETED_MARGIN_MS, DELETED_MS, isDeleted } from "./deleted.ts";
import type { CacheSettings } from "./options.ts";
import { ProcessLimit } from "./process-limit.ts";
import { Renewals } from "./renewals.ts";
import { CACHE_STAMP, EPOCH_STAMP, isTagStamp, recordOf, StampRecords, tagStamp, type StampRecord } from "./stamps.ts";
import { Sweeper } from "./sweeper.ts";
import type { Entry, Found, Ground, Kept, Stamps, Terms, Tier } from "./tier.ts";

/** What the tier tells its cache of. */
export interface TierEvents {
  evicted(key: string): void;
  failed(operation: string, key: string | undefined, error: unknown): void;
}

/** The store of the backend as a tier. */
export class StoreTier implements Tier {
  readonly #instance: Instance;
  readonly #space: Space;
  readonly #stamps: StampRecords;
  readonly #renewals: Renewals;
  readonly #sweeper: Sweeper;
  readonly #maxItems: number;
  readonly #events: TierEvents;
  #limit: ProcessLimit | undefined;

  constructor(instance: Instance, name: string, settings: CacheSettings, events: TierEvents) {
    this.#instance = instance;
    this.#space = space("cache", settings.service, name);
    this.#stamps = new StampRecords(instance, settings.service, name, (stamp) => this.#useStamp(stamp));
    this.#sweeper = new Sweeper(instance, this.#space, this.#stamps.space, (error) =>
      events.failed("sweep", undefined, error),
    );
    this.#renewals = new Renewals(instance, this.#stamps, this.#sweeper);
    this.#maxItems = settings.maxItems;
    this.#events = events;
  }

  get inProcess(): boolean {
    const { known } = this.#instance;
    return known !== undefined && isInProcess(known);
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
    const ready = this.#ensureLimit(call);
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

  keep(ground: Ground, entries: readonly Entry[], ttl: number, call: Call): Promise<readonly Kept[]> {
    const { stamps, late, conditions } = ground;
    const checks = late?.checks ?? [];
    const { time } = this.#instance;
    // By the clock that went further: the monotonic one stands still while the machine sleeps.
    const passed = Math.max(time.monotonic() - ground.since, time.wall() - ground.sinceWall);
    const tooLate = passed > DELETED_MS - DELETED_MARGIN_MS;
    const bears = [stamps.cache, ...stamps.tags, ...(late?.stamps ?? [])];
    return this.#write(entries, bears, ttl, call, (key, limit) => {
      const condition = conditions.get(key);
      // An absent entry may have been there and been deleted meanwhile, and what is left of that be gone as well.
      const forgotten = tooLate || (limit !== undefined && limit.forgotAt >= ground.since);
      if (!condition || (forgotten && "absent" in condition)) return undefined;
      return { checks, if: condition };
    });
  }

  async write(entries: readonly Entry[], terms: Terms, call: Call): Promise<readonly Kept[]> {
    const { capabilities } = await this.#opened(call);
    for (const entry of entries) {
      const error = this.#tooLarge(entry, capabilities);
      if (error) throw error;
    }
    const [{ cache, tags }] = await Promise.all([this.#readStamps(terms.tags, call), this.#ensureLimit(call)]);
    return this.#write(entries, [cache, ...tags], terms.ttl, call, () => ({ checks: [] }));
  }

  async remove(key: string, call: Call): Promise<boolean> {
    const mark: Operation = { op: "set", key: this.#key(key), id: DELETED + drawId(), value: "", ttl: DELETED_MS };
    const limit = await this.#ensureLimit(call);
    const reply = this.#instance.execute({ ops: [this.#get(key, true), mark] }, call);
    // At once in this process: what is written, deleted and discarded is counted in the order in which it was done.
    const record = recordOf(reply instanceof Promise ? await reply : reply);
    if (limit) {
      limit.entries.delete(key);
      const oldest = limit.deleted.use(key);
      if (oldest !== undefined) {
        limit.forgotAt = this.#instance.time.monotonic();
        void this.#discard(this.#key(oldest));
      }
    }
    return record !== undefined && !isDeleted(record);
  }

  async invalidate(tags: readonly string[], call: Call): Promise<void> {
    await this.#ensureLimit(call);
    await this.#renewals.tags(tags, call);
  }

  async clear(call: Call): Promise<void> {
    await this.#renewals.cache(call);
  }

  /** Sends the entries before it returns, by a session that is known to be open and bounded. */
  async #write(
    entries: readonly Entry[],
    stamps: readonly StampRecord[],
    ttl: number,
    call: Call,
    terms: (
      key: string,
      limit: ProcessLimit | undefined,
    ) => { checks: readonly Operation[]; if?: Condition } | undefined,
  ): Promise<readonly Kept[]> {
    const limit = this.#limit;
    const { capabilities } = this.#instance.known as Opened;
    const bears = stamps.map(({ key, id }) => ({ key, id }));
    const armed = this.#stamps.outlive(stamps, ttl, call);
    const writes = entries.map(async (entry): Promise<Kept> => {
      const { key, payload } = entry;
      const error = this.#tooLarge(entry, capabilities);
      if (error) return { error };
      const how = terms(key, limit);
      if (!how) return { kept: false };
      const set: Operation = {
        op: "set",
        key: this.#key(key),
        id: drawId(),
        value: payload,
        if: how.if,
        ttl: ttl === Infinity ? undefined : ttl,
        stamps: bears,
      };
      const outcome = this.#set({ ops: [...how.checks, set] }, call);
      const kept = outcome instanceof Promise ? await outcome : outcome;
      if (limit && "kept" in kept && kept.kept) {
        limit.deleted.delete(key);
        void this.#evict(limit.entries.use(key));
      }
      return kept;
    });
    const [kept] = await Promise.all([Promise.all(writes), armed]);
    if (ttl === Infinity) this.#sweeper.remind();
    return kept;
  }

  #tooLarge({ key, payload }: Entry, { maxValue }: Capabilities): InvalidArgumentError | undefined {
    // Three bytes a unit at most: counted only where that leaves it open.
    if (payload.length * 3 <= maxValue) return undefined;
    const bytes = typeof payload === "string" ? utf8Length(payload) : payload.byteLength;
    if (bytes <= maxValue) return undefined;
    const backend = this.#instance.backend.name;
    const message = `the value is ${bytes} bytes, and ${backend} takes at most ${maxValue}`;
    return new InvalidArgumentError(message, { backend, key });
  }

  async #opened(call: Call): Promise<Opened> {
    return this.#instance.known ?? this.#instance.opened(call);
  }

  #set(group: Group, call: Call): Kept | Promise<Kept> {
    try {
      const reply = executeWrite(this.#instance, group, call);
      if (!(reply instanceof Promise)) return { kept: reply.ok };
      return reply.then(
        ({ ok }) => ({ kept: ok }),
        (error: unknown) => ({ error }),
      );
    } catch (error) {
      return { error };
    }
  }

  async #readStamps(tags: readonly string[], call: Call): Promise<Stamps> {
    const [cache, epoch, ...rest] = await this.#stamps.read([CACHE_STAMP, EPOCH_STAMP, ...tags.map(tagStamp)], call);
    return { cache: cache as StampRecord, epoch: epoch as StampRecord, tags: rest };
  }

  #get(key: string, stamped: boolean): Operation {
    return { op: "get", key: this.#key(key), stamped };
  }

  #key(key: string): Key {
    return { space: this.#space, key };
  }

  #found(key: string, record: StoredRecord | undefined): Found | undefined {
    if (!record || isDeleted(record)) return undefined;
    if (this.#limit) void this.#evict(this.#limit.entries.use(key));
    return record;
  }

  /** What bounds this cache, where its data is in this process. */
  async #ensureLimit(call: Call): Promise<ProcessLimit | undefined> {
    if (this.#limit) return this.#limit;
    if (!isInProcess(await this.#opened(call))) return undefined;
    return (this.#limit = await ProcessLimit.of(this.#instance, this.#space, this.#stamps.space, this.#maxItems, call));
  }

  #useStamp(stamp: string): void {
    // Without the stamp of the cache every entry would be gone, so it is never the one that makes room.
    if (!this.#limit || !isTagStamp(stamp)) return;
    const oldest = this.#limit.stamps.use(stamp);
    if (oldest !== undefined) void this.#discard({ space: this.#stamps.space, key: oldest });
  }

  async #evict(key: string | undefined): Promise<void> {
    if (key !== undefined && (await this.#discard(this.#key(key)))) this.#events.evicted(key);
  }

  /** Whether there was something to discard. */
  async #discard(key: Key): Promise<boolean> {
    try {
      const reply = await this.#instance.execute({ ops: [{ op: "delete", key }] }, this.#instance.ownCall());
      return reply.ok && reply.results[0] === true;
    } catch (error) {
      this.#events.failed("evict", key.space === this.#space ? key.key : undefined, error);
      return false;
    }
  }
}

/** Whether the data is in this process and worth bounding: Null keeps none. */
function isInProcess({ capabilities }: Opened): boolean {
  return capabilities.shared === "process" && capabilities.reads !== "eventual";
}
