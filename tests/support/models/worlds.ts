import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import type { Capabilities, Group, LockOperation, Operation, Ttl } from "../../../src/port/index.ts";
import type { Random } from "../../chaos/support/random.ts";

/**
 * Times in ms: what is short lasts longer than the steps of a round, and has ended after `elapse`, a short claim before a short
 * hold. Nothing long ever ends.
 */
export const times = { claim: 700, short: 1_200, elapse: 1_500, long: 600_000, steps: 350, stalled: 600 } as const;

/** The grant of an owner on a lock, as a backend has given it last. */
export type Grants = (lock: Key, owner: string) => number;
/** A group as it is told to a backend: all but the grants is the same to each. */
export type MakeGroup = (grants: Grants) => Group;

const odd = [
  "plain",
  "{tag}x",
  "}",
  "{",
  "{}",
  "a}b{c}",
  "%7D}",
  "%",
  "nul\0\r\n",
  " :*?[x]\\",
  "é\u{1f600}".repeat(20),
];
const owners = ["a", "", "b:1\0", "ü".repeat(63), "y".repeat(127), "z".repeat(128), "ÿ".repeat(150)];

/** Neighbours, also where a double ends. */
const fences = [1, 2, 1_795_464_225_775_000, 1_795_464_225_775_001, 2 ** 53 - 2, 2 ** 53 - 1];

/** What a world is made by. */
export interface WorldOptions {
  /** Names its keys. */
  readonly index: number;
  readonly random: Random;
  /** What the backend promises: no group asks for more. */
  readonly capabilities: Capabilities;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
}

/** Keys and owners of one history that no other touches. */
export class World {
  readonly locks: readonly [Key, Key];
  readonly records: readonly [Key, Key];
  readonly stamps: readonly [Key, Key];
  readonly owners: readonly string[];
  readonly #random: Random;
  readonly #options: WorldOptions;
  /** Who was granted a lock last: most that is done to it is done by that one. */
  readonly #holders = new Map<Key, string>();
  /** Ids that were written, by the key. */
  readonly #ids = new Map<Key, string[]>();

  constructor(options: WorldOptions) {
    const { index, random } = options;
    this.#options = options;
    this.#random = random;
    const key = `${random.pick(odd)}${index}`;
    const of = (kind: "lock" | "shared" | "state" | "stamp", name: string): Key => ({
      space: space(kind, "a%{b}", name),
      key,
    });
    this.locks = [of("lock", "n"), of("shared", "n")];
    this.records = [of("state", "n"), of("state", "m}")];
    this.stamps = [of("stamp", "n"), of("stamp", "m")];
    const first = random.int(0, owners.length);
    this.owners = [0, 1, 2].map((i) => owners[(first + i) % owners.length] as string);
  }

  granted(lock: Key, owner: string): void {
    this.#holders.set(lock, owner);
  }

  /** Any group that the port allows. */
  next(): MakeGroup {
    const random = this.#random;
    const { transact, guard } = this.#options.capabilities;
    const most = transact === "none" ? 0.6 : guard === "none" ? 0.9 : 1;
    const chance = random.next() * most;
    if (chance < 0.42) return this.#oneLock();
    if (chance < 0.6) {
      const op = this.#recordOperation(random.pick(this.records));
      return () => ({ ops: [op] });
    }
    if (chance < 0.75) return this.#bothLocks();
    if (chance < 0.9) {
      const ops = this.records.map((key) => this.#recordOperation(key));
      return () => ({ ops });
    }
    return this.#guarded();
  }

  #oneLock(): MakeGroup {
    const random = this.#random;
    const lock = random.pick(this.locks);
    const chance = random.next();
    if (chance < 0.5) {
      const op = this.#acquire(lock, random.pick(this.owners), random.next() < 0.5);
      return () => ({ ops: [op] });
    }
    const make = this.#other(lock, this.#holderOf(lock), (chance - 0.5) * 2);
    return (grants) => ({ ops: [make(grants)] });
  }

  #bothLocks(): MakeGroup {
    const random = this.#random;
    const makes = this.locks.map((lock) => {
      const owner = this.#holderOf(lock);
      const op = this.#acquire(lock, owner, false);
      return random.next() < 0.5 ? () => op : this.#other(lock, owner, random.next());
    });
    return (grants) => ({ ops: makes.map((make) => make(grants)) });
  }

  #acquire(lock: Key, owner: string, waits: boolean): LockOperation {
    const random = this.#random;
    // Only one of them dies soon: which of two ends is first is for no test to say.
    const claimMs = owner === this.owners[0] && random.next() < 0.5 ? times.claim : times.long;
    const isShared = random.next() < 0.35;
    return {
      op: "acquire",
      lock,
      owner,
      mode: isShared ? "shared" : "exclusive",
      limit: random.next() < (isShared ? 0.5 : 0.05) ? random.int(1, 3) : undefined,
      ttl: this.#ttl(),
      wait: waits ? { claimMs } : undefined,
      info: random.pick(["", "i", "X\0\n", "{}"]),
    };
  }

  #other(lock: Key, owner: string, chance: number): (grants: Grants) => LockOperation {
    const random = this.#random;
    if (chance < 0.45) {
      const off = random.next() < 0.1 ? random.pick([-1, 1]) : 0;
      const raise = random.next() < 0.2 ? random.pick([-1, 0, 5_000_000]) : undefined;
      const ttl = this.#ttl();
      return (grants) => {
        const grant = Math.max(1, grants(lock, owner) + off);
        return { op: "extend", lock, owner, grant, ttl, ...(raise !== undefined && { raise: grant + raise }) };
      };
    }
    if (chance < 0.9) {
      const markMs = random.next() < 0.15 ? this.#ttl() : undefined;
      return () => ({ op: "release", lock, owner, markMs });
    }
    if (chance < 0.93) return () => ({ op: "steal", lock });
    return chance < 0.96 ? () => ({ op: "steal", lock, owner }) : () => ({ op: "inspect", lock });
  }

  #guarded(): MakeGroup {
    const random = this.#random;
    const lock = random.pick(this.locks);
    const owner = this.#holderOf(lock);
    const ops: Operation[] = this.records.map((key) => this.#recordOperation(key));
    if (this.#options.capabilities.guard === "floor" || random.next() < 0.4) {
      const [grant, n, keepMs] = [random.pick(fences), random.int(0, 3), this.#ttl()];
      return () => ({ ops: [{ op: "floor", key: this.records[0], grant, n, keepMs }, ...ops] });
    }
    const off = random.pick([0, 0, 0, -1, 1]);
    return (grants) => ({ guards: [{ lock, owner, grant: Math.max(1, grants(lock, owner) + off) }], ops });
  }

  #holderOf(lock: Key): string {
    const random = this.#random;
    return (random.next() < 0.8 ? this.#holders.get(lock) : undefined) ?? random.pick(this.owners);
  }

  #recordOperation(of: Key): Operation {
    const random = this.#random;
    const chance = random.next();
    const key = chance < 0.1 && of === this.records[0] ? this.stamps[0] : of;
    const ids = this.#ids.get(key) ?? [];
    const id = random.next() < 0.8 ? ids.at(-1) : random.pick(["", "none", ids[0] ?? "none"]);
    const condition = id === undefined || random.next() < 0.3 ? ({ absent: true } as const) : { id };
    const stamped = random.next() < 0.4;
    if (chance > 0.75) {
      const shown = stamped && random.next() < 0.5;
      return { op: "get", key, stamped: shown ? "show" : stamped, keyOnly: random.next() < 0.2 };
    }
    if (chance > 0.7) return { op: "check", key, if: condition };
    const wanted = random.next() < 0.5 ? condition : undefined;
    if (chance > 0.6) return { op: "delete", key, if: wanted };
    const ttl = random.pick([undefined, undefined, times.short, times.long, this.#at()] as const);
    if (chance > 0.5) return { op: "touch", key, if: wanted, ttl, stamped };
    const written = random.next() < 0.1 ? `i${random.int(0, 1e6)}`.padEnd(64, "x") : drawId();
    ids.push(written);
    this.#ids.set(key, ids);
    return {
      op: "set",
      key,
      id: written,
      value: this.#value(),
      if: wanted,
      ttl: random.next() < 0.2 ? "keep" : ttl,
      stamps: random.next() < 0.3 ? this.stamps.map((stamp) => this.#stamp(stamp)) : undefined,
    };
  }

  #stamp(key: Key): { readonly key: Key; readonly id: string } {
    return { key, id: this.#ids.get(key)?.at(-1) ?? "none" };
  }

  #value(): string | Uint8Array {
    return this.#random.pick(["", "text", "ü\u{1f600}\0", "9".repeat(20), new Uint8Array([0, 255, 64])]);
  }

  /** An end to the millisecond. */
  #at(): Exclude<Ttl, "keep"> {
    return { at: Math.floor(this.#options.wall()) + this.#ttl() };
  }

  #ttl(): number {
    return this.#random.next() < 0.4 ? times.short : times.long;
  }
}
