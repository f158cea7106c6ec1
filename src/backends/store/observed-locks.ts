import type { Time } from "../../base/time.ts";
import { packLock, unpackLock, type PackedLock } from "../common/lock-codec.ts";
import { endOf, type LockRecord } from "../common/lock-rules.ts";
import { decode, encode, stampOf } from "./content.ts";
import type { Change } from "./store.ts";

/*
 * Locks of a server that has no clock. A cell says of each hold, claim and mark for how long it lasts, and by which
 * commit it was armed: by the stamp of that content. It has ended for a process once that has seen it for so long,
 * by its own monotonic clock, armed by the same commit still. So no two clocks are ever compared: who arms it counts
 * from before the commit, and everybody else from after it.
 */

/** Most armings that a process remembers. One that is forgotten counts from when it is seen again. */
const most = 65_536;
/** How long a lock that nobody holds is kept, in ms: for so long it is taken again without a read. */
const idleMs = 60_000;
/** How long a lock outlives its last hold, in ms: who has waited for it takes it over meanwhile, in turn. */
const graceMs = 10_000;
/** Grants for each step of a store's order: more than one commit can give of a lock. */
const grantsOfStep = 1_024;
/** How long a lock is kept that was raised above all that its store gives by then, in ms. */
const raisedMs = 24 * 3_600_000;
/**
 * The steps of the clock, in one ms. What is armed here ends at a step, and what was seen between two, so they are told
 * apart. That is a few µs after the reply was on its way, and so after the commit.
 */
const steps = 1_024;

const processes = new WeakMap<Time, Sightings>();

/** When this process saw a commit first that armed something: one for all backends on the same clocks. */
export class Sightings {
  readonly #time: Time;
  readonly #first = new Map<string, number>();

  private constructor(time: Time) {
    this.#time = time;
  }

  static of(time: Time): Sightings {
    let own = processes.get(time);
    if (!own) processes.set(time, (own = new Sightings(time)));
    return own;
  }

  /** The monotonic clock, in steps that have passed. */
  get now(): number {
    return Math.floor(this.#time.monotonic() * steps) / steps;
  }

  /** When the commit with that stamp was seen first, which is now if it never was. */
  of(stamp: string): number {
    const at = this.#first.get(stamp) ?? this.now - 0.5 / steps;
    this.#first.delete(stamp);
    this.#first.set(stamp, at);
    if (this.#first.size > most) this.#first.delete(this.#first.keys().next().value as string);
    return at;
  }
}

/**
 * A lock with lengths of time in place of ends, and the stamps of the commits that armed its parts: 0 is its own. And
 * whether it was raised above what its store gives: it must not be forgotten soon then.
 */
type StoredLock = readonly [...PackedLock, armedBy: readonly (string | 0)[], raised: 0 | 1];

/** A lock as it was found. */
interface Found {
  readonly grant: number;
  readonly isRaised: boolean;
}

interface Arming {
  /** When it ends here. */
  readonly until: number;
  readonly ttl: number;
  readonly by: string;
}

/** The locks of a view. */
export class ObservedLocks {
  /** The time that they are judged at. */
  readonly now: number;
  readonly #sightings: Sightings;
  /** Of the store, where it was read. */
  readonly #order: number | undefined;
  readonly #found = new Map<LockRecord, Found>();
  readonly #armings = new Map<object, Arming>();
  #written: string[] = [];

  constructor(sightings: Sightings, order: number | undefined) {
    this.#sightings = sightings;
    this.#order = order;
    this.now = sightings.now;
  }

  /** What the next grant is not below, which is known at least of a lock that has one; undefined if it must be read. */
  leastGrant({ grant }: LockRecord): number | undefined {
    return grant > 0 ? 0 : this.#order && this.#order * grantsOfStep;
  }

  /** Whether it can be written as it is: of a grant that was raised must be known whether the store gives such. */
  isKnown(lock: LockRecord): boolean {
    return this.#order !== undefined || lock.grant <= (this.#found.get(lock)?.grant ?? 0) + grantsOfStep;
  }

  /** Throws as `decode` of `content` does. */
  decode(content: Uint8Array): LockRecord {
    const [grant, holds, queue, marks, armedBy, raised] = decode(content).head as StoredLock;
    const lock = unpackLock([grant, holds, queue, marks]);
    this.#found.set(lock, { grant, isRaised: raised === 1 });
    for (const [i, part] of partsOf(lock).entries()) {
      const by = armedBy[i] || stampOf(content);
      const ttl = part.until;
      part.until = this.#sightings.of(by) + ttl;
      this.#armings.set(part, { until: part.until, ttl, by });
    }
    return lock;
  }

  /** `wall` is now, in ms since 1970. A lock that nothing is armed of goes when it would have gone. */
  encode(lock: LockRecord, wall: number): Pick<Change, "content" | "until" | "keepsEnd"> {
    const armedBy: (string | 0)[] = [];
    const lasting = <T extends { readonly until: number }>(part: T): T => {
      const arming = this.#armings.get(part);
      const isKept = arming?.until === part.until;
      armedBy.push(isKept ? arming.by : 0);
      return { ...part, until: isKept ? arming.ttl : Math.ceil(part.until - this.now) };
    };
    const [holds, queue, marks] = [lock.holds.map(lasting), lock.queue.map(lasting), lock.marks.map(lasting)];
    const { grant } = lock;
    const isRaised =
      this.#order === undefined ? this.#found.get(lock)?.isRaised === true : grant > (this.#order + 1) * grantsOfStep;
    const packed: StoredLock = [...packLock({ grant, holds, queue, marks }), armedBy, isRaised ? 1 : 0];
    const content = encode(JSON.stringify(packed), "");
    if (armedBy.includes(0)) this.#written.push(stampOf(content));
    if (isRaised) return { content, until: Math.max(endOf(lock) - this.now, raisedMs) + wall };
    const needed = [...lock.holds, ...lock.marks];
    if (needed.length === 0) return { content, until: wall + idleMs };
    const until = wall + Math.max(...needed.map((part) => part.until)) - this.now + graceMs;
    // Whoever only waits keeps nothing alive: a dead holder's lock would never end for those who come and go.
    const isArmed = needed.some((part) => this.#armings.get(part)?.until !== part.until);
    return isArmed ? { content, until } : { content, until, keepsEnd: true };
  }

  /** What was encoded is committed: it is seen now. */
  committed(): void {
    for (const stamp of this.#written) this.#sightings.of(stamp);
    this.#written = [];
  }
}

function partsOf({ holds, queue, marks }: LockRecord): readonly { until: number }[] {
  return [...holds, ...queue, ...marks];
}
