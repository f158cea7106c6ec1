import type { StateStore } from "../entries/index.ts";
import type { Batch, Death } from "./batch.ts";
import type { Step } from "../state/commit.ts";
import type { Item } from "./item.ts";
import { deadKey, stopKey, type DeadLetter, type StoppedKey } from "./layout.ts";
import { addCounts, RangeReader, type PartitionProgress, type Position } from "./progress.ts";
import type { StoppedKeys } from "./stopped.ts";
import { Stopping } from "./stopping.ts";
import type { OnDead } from "./types.ts";

/** What a pass does with a record of its partition: hands it out, knows that it came to an end, or has no interest. */
export type Interest = "take" | "ended" | "none";

/** One way through a partition's items: the first one, or a round of retries. */
export interface Pass extends Pick<Stopping, "died" | "committed" | "restart"> {
  /** Where to read from. */
  readonly from: Position;
  /** The first record number of no interest. */
  readonly until: number;
  /** Ranges of items that had come to an end when it started. */
  readonly ended: readonly number[];
  /** Most items of a batch. */
  readonly mostItems: number;
  /** Where it is through, so is the partition. */
  readonly isLast: boolean;
  /** Asked for ascending record numbers. */
  interest(id: number, key: string | undefined): Interest;
  /** Whether the item is passed over; `undefined`: {@link ask}. */
  passesOver(key: string): boolean | undefined;
  ask(key: string): Promise<boolean>;
  /** The next progress, and the records of dead letters and stopped keys, that commit with the batch. */
  advance(
    last: PartitionProgress,
    batch: Batch,
    mark: () => Pick<PartitionProgress, "next" | "above" | "end">,
  ): Advance;
  /** Whether the pass is through, once every item of it has committed. */
  isThrough(last: PartitionProgress): boolean;
  /** What is left to write then. */
  finish(last: PartitionProgress): Advance;
}

/** What a commit does to a job's own records. */
export interface Advance {
  readonly progress: PartitionProgress;
  readonly changes: readonly Step[];
}

/** What every pass is told. */
export interface PassContext {
  readonly store: StateStore<unknown>;
  readonly partition: number;
  readonly onDead: OnDead;
  readonly round: number;
}

/** Writes or removes a record of the job, whatever was there: the lease excludes everybody else. */
function put(context: PassContext, key: string, value: unknown): Step {
  return {
    store: context.store,
    key,
    base: undefined,
    write: value === undefined ? "delete" : { value, ttl: undefined },
  };
}

/** The records of a dead letter, which stops its key or does not. */
function recordDeath(context: PassContext, { item, error }: Death, stops: boolean): Step[] {
  const { partition, round } = context;
  const { id, offset, key } = item;
  const stopped = stops && key !== undefined;
  const letter: DeadLetter = {
    id,
    offset,
    ...(key !== undefined && { key }),
    error,
    attempts: item.failures + item.lost,
    stopped,
    round,
  };
  const changes = [put(context, deadKey(partition, id), letter)];
  if (stopped) {
    const stop: StoppedKey = { key, id, from: { id, offset }, dead: true, round };
    changes.push(put(context, stopKey(partition, key), stop));
  }
  return changes;
}

/** The way through the input. */
export class FirstPass extends Stopping implements Pass {
  readonly from: Position;
  readonly until = Infinity;
  readonly mostItems = 1024;
  readonly isLast = true;
  readonly ended: readonly number[];
  readonly #context: PassContext;
  readonly #reader: RangeReader;
  readonly #stopped: StoppedKeys;

  constructor(context: PassContext, progress: PartitionProgress, stopped: StoppedKeys) {
    super();
    this.#context = context;
    this.from = progress.next;
    this.ended = progress.above;
    this.#reader = new RangeReader(progress.above);
    this.#stopped = stopped;
  }

  interest(id: number): Interest {
    return this.#reader.has(id) ? "ended" : "take";
  }

  passesOver(key: string): boolean | undefined {
    return this.isFresh(key) || this.#stopped.has(key);
  }

  ask(key: string): Promise<boolean> {
    return this.#stopped.ask(key);
  }

  protected override stops(): boolean {
    return this.#context.onDead === "stop-key";
  }

  protected override keep(key: string): void {
    this.#stopped.add(key);
  }

  advance(
    last: PartitionProgress,
    batch: Batch,
    mark: () => Pick<PartitionProgress, "next" | "above" | "end">,
  ): Advance {
    const dead = batch.deaths.length;
    const waiting = batch.passed.size;
    const counts = addCounts(last.counts, { done: batch.items.length - dead - waiting, dead, waiting });
    const changes = batch.deaths.flatMap((death) => recordDeath(this.#context, death, this.stops()));
    return { progress: { ...mark(), counts, round: last.round }, changes };
  }

  isThrough(last: PartitionProgress): boolean {
    return last.end;
  }

  finish(last: PartitionProgress): Advance {
    return { progress: last, changes: [] };
  }
}

/** What a round of retries is for. */
export interface Targets {
  readonly keys: ReadonlyMap<string, StoppedKey>;
  /** Dead letters that stopped no key. */
  readonly ids: ReadonlyMap<number, DeadLetter>;
  /** There are no others. */
  readonly complete: boolean;
}

/**
 * A round of retries: dead letters again, and after one that had stopped its key the items that waited behind it, up to where
 * the first pass is. Each stopped key's record moves along, so a crash loses nothing and repeats nothing.
 */
export class RetryPass extends Stopping implements Pass {
  readonly from: Position;
  readonly until: number;
  readonly mostItems = 64;
  readonly isLast = false;
  readonly ended: readonly number[];
  readonly #context: PassContext;
  readonly #targets: Targets;
  readonly #next: number;
  readonly #reader: RangeReader;
  /** Keys that failed again. */
  readonly #again = new Set<string>();

  constructor(context: PassContext, progress: PartitionProgress, targets: Targets) {
    super();
    this.#context = context;
    this.#targets = targets;
    this.#next = progress.next.id;
    this.ended = progress.above;
    this.#reader = new RangeReader(progress.above);
    let from: Position = progress.next;
    const earliest = ({ id, offset }: Position): void => void (offset < from.offset && (from = { id, offset }));
    for (const stop of targets.keys.values()) earliest(stop.from);
    for (const letter of targets.ids.values()) earliest(letter);
    this.from = from;
    this.until = Math.max(this.#next, (progress.above.at(-1) ?? 0) + 1);
  }

  interest(id: number, key: string | undefined): Interest {
    if (id >= this.#next && !this.#reader.has(id)) return "none";
    const stop = key === undefined ? undefined : this.#targets.keys.get(key);
    return (stop && id >= stop.id) || this.#targets.ids.has(id) ? "take" : "none";
  }

  passesOver(key: string): boolean {
    return this.#again.has(key) || this.isFresh(key);
  }

  ask(key: string): Promise<boolean> {
    return Promise.resolve(this.passesOver(key));
  }

  /** One that had stopped no key does not do so now: later items of its key may be done, and must not be done again. */
  protected override stops(item: Item): boolean {
    return this.#context.onDead === "stop-key" && !this.#targets.ids.has(item.id);
  }

  protected override keep(key: string): void {
    this.#again.add(key);
  }

  advance(last: PartitionProgress, batch: Batch): Advance {
    const deaths = new Map(batch.deaths.map((death) => [death.item, death]));
    const changes = new Map<string, Step>();
    let { done, dead, waiting } = last.counts;
    const add = (change: Step): void => void changes.set(change.key, change);
    for (const item of batch.items) {
      if (batch.passed.has(item)) continue; // it waits as before
      const death = deaths.get(item);
      const wasDead = this.#wasDead(item);
      if (wasDead) dead--;
      else waiting--;
      if (death) {
        dead++;
        for (const change of recordDeath(this.#context, death, this.stops(item))) add(change);
        if (this.#context.onDead === "continue") this.#moveOn(item, add);
      } else {
        done++;
        if (wasDead) add(put(this.#context, deadKey(this.#context.partition, item.id), undefined));
        this.#moveOn(item, add);
      }
    }
    return { progress: { ...last, counts: { done, dead, waiting } }, changes: [...changes.values()] };
  }

  isThrough(): boolean {
    return true;
  }

  finish(last: PartitionProgress): Advance {
    const changes: Step[] = [];
    for (const key of this.#targets.keys.keys()) {
      if (!this.#again.has(key)) changes.push(put(this.#context, stopKey(this.#context.partition, key), undefined));
    }
    return { progress: this.#targets.complete ? { ...last, round: this.#context.round } : last, changes };
  }

  #wasDead(item: Item): boolean {
    if (this.#targets.ids.has(item.id)) return true;
    const stop = item.key === undefined ? undefined : this.#targets.keys.get(item.key);
    return stop !== undefined && stop.id === item.id && stop.dead;
  }

  #moveOn(item: Item, add: (change: Step) => void): void {
    const stop = item.key === undefined ? undefined : this.#targets.keys.get(item.key);
    // An earlier dead letter, which stopped nothing, does not move it back.
    if (!stop || item.id < stop.id) return;
    const moved: StoppedKey = { ...stop, id: item.id + 1, from: { id: item.id, offset: item.offset }, dead: false };
    add(put(this.#context, stopKey(this.#context.partition, stop.key), moved));
  }
}
