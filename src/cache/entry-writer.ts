import { drawId } from "../base/ids.ts";
import type { InvalidArgumentError } from "../base/errors.ts";
import type { Space } from "../base/keys.ts";
import { executeWrite, tooLarge, type Call, type Instance } from "../client/index.ts";
import type { Capabilities, Condition, Group, Opened, Operation } from "../port/index.ts";
import type { Room } from "./room.ts";
import type { StampRecord, StampRecords } from "./stamps.ts";
import type { Entry, Kept } from "./tier.ts";

/** An entry to be written, and how. */
export interface Stamped {
  readonly entry: Entry;
  /** What it bears. */
  readonly stamps: readonly StampRecord[];
  /** In ms, `Infinity` for never. */
  readonly ttl: number;
  /** What its group checks beside it. */
  readonly checks?: readonly Operation[] | undefined;
  readonly if?: Condition | undefined;
}

const unwritten: Promise<Kept> = Promise.resolve({ kept: false });

/** Writes entries of one cache with the stamps that they bear. */
export class EntryWriter {
  readonly #instance: Instance;
  readonly #space: Space;
  readonly #stamps: StampRecords;
  readonly #room: Room;

  constructor(instance: Instance, entries: Space, stamps: StampRecords, room: Room) {
    this.#instance = instance;
    this.#space = entries;
    this.#stamps = stamps;
    this.#room = room;
  }

  /**
   * Sends the entries before it returns, by a session that is known to be open and bounded. One outcome an entry;
   * `undefined` is one that is not to be written.
   */
  async write(entries: readonly (Stamped | undefined)[], call: Call): Promise<readonly Kept[]> {
    const { capabilities } = this.#instance.known as Opened;
    const armed = this.#arm(entries, call);
    const writes = entries.map((one) => (one ? this.#one(one, capabilities, call) : unwritten));
    const [kept] = await Promise.all([Promise.all(writes), armed]);
    return kept;
  }

  /** Why an entry cannot be written, if it cannot. */
  tooLarge({ key, payload }: Entry, capabilities: Capabilities): InvalidArgumentError | undefined {
    return tooLarge(payload, key, capabilities, this.#instance.backend.name);
  }

  /** Lets each stamp live as long as the entry of the longest ttl that bears it. */
  #arm(entries: readonly (Stamped | undefined)[], call: Call): Promise<unknown> | undefined {
    const [first] = entries;
    // Mostly they have all of it in common.
    if (first && entries.every((one) => one?.stamps === first.stamps && one.ttl === first.ttl)) {
      return this.#stamps.outlive(first.stamps, first.ttl, call);
    }
    const longest = new Map<StampRecord, number>();
    for (const entry of entries) {
      if (!entry) continue;
      for (const stamp of entry.stamps) longest.set(stamp, Math.max(entry.ttl, longest.get(stamp) ?? 0));
    }
    return Promise.all(Array.from(longest, ([stamp, ttl]) => this.#stamps.outlive([stamp], ttl, call)));
  }

  async #one({ entry, stamps, ttl, checks, if: when }: Stamped, capabilities: Capabilities, call: Call): Promise<Kept> {
    const { key, payload } = entry;
    const error = this.tooLarge(entry, capabilities);
    if (error) return { error };
    const set: Operation = {
      op: "set",
      key: { space: this.#space, key },
      id: drawId(),
      value: payload,
      if: when,
      ttl: ttl === Infinity ? undefined : ttl,
      stamps: stamps.map(({ key: of, id }) => ({ key: of, id })),
    };
    const outcome = this.#send({ ops: checks ? [...checks, set] : [set] }, call);
    const kept = outcome instanceof Promise ? await outcome : outcome;
    if ("kept" in kept && kept.kept) this.#room.wrote(key);
    return kept;
  }

  #send(group: Group, call: Call): Kept | Promise<Kept> {
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
}
