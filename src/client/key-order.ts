import { ChurnMap, type Churned } from "../base/churn-map.ts";
import type { Key, Space } from "../base/keys.ts";
import type { Group, Operation } from "../port/index.ts";

/** Something that waits for its turn on its keys. */
export interface Turn {
  readonly group: Group;
  /** Keys on which it is not yet admitted. Kept by {@link KeyOrder}. */
  missing: number;
  /** From {@link KeyOrder.lanesOf}, right before it enters. */
  readonly lanes: Lanes;
}

/** One key that calls are on their way on. */
export class Lane implements Churned {
  readonly key: string;
  /** Of its space. */
  readonly siblings: ChurnMap<Lane>;
  /** No call is on its way on it. */
  gone = false;
  /** Admitted readers, or less than 0 by the admitted writers: one, or a release with the acquire behind it. */
  active = 0;
  /** Whether the admitted writer is a release, which an acquire that waits may go with. */
  releasing = false;
  /** Those who wait for it: mostly nobody. */
  waiting: Waiting[] | undefined = undefined;
  /** The turn that reads this key alone, not yet sent, with no write lined up behind it: equal reads join it. */
  read: Turn | undefined = undefined;
  /** The same for a read that checks the record's stamps. */
  stamped: Turn | undefined = undefined;

  constructor(key: string, siblings: ChurnMap<Lane>) {
    this.key = key;
    this.siblings = siblings;
  }
}

/** The keys of a turn, each once, with whether it is written; the key alone where there is one operation, as mostly. */
export type Lanes = Lane | readonly LaneUse[];

interface LaneUse {
  readonly lane: Lane;
  readonly write: boolean;
}

interface Waiting {
  readonly turn: Turn;
  readonly write: boolean;
}

/** Whether an operation changes its key. */
export function writes(op: Operation): boolean {
  return op.op !== "get" && op.op !== "check" && op.op !== "inspect";
}

/** Whether a group is an acquire that waits. A release on its way need not be over: in either order it gets what is its due. */
function waits({ ops: [op] }: Group): boolean {
  return op?.op === "acquire" && op.wait !== undefined;
}

/** Whether a group changes anything. */
export function groupWrites(group: Group): boolean {
  return group.ops.some(writes);
}

/** More spaces than that are forgotten when no call is on its way in them. */
const mostSpaces = 64;

/**
 * Keeps the calls on one key in their order, whatever a backend does with groups in flight: readers of a key go together,
 * a writer goes alone. Every turn lines up on all of its keys at once, so turns cannot wait for each other in a circle.
 * Guards do not line up: either order of a guarded write and a renewal is right.
 */
export class KeyOrder {
  /** By the id of their space, then by key: the caller's own string, whose hash is known mostly. */
  readonly #spaces = new Map<string, ChurnMap<Lane>>();
  /** How many have entered and not left. */
  #turns = 0;
  #lastSpace: Space | undefined;
  #lastLanes = lanesOfSpace();

  /** Whether a group could go at once, without lining up. */
  idle(group: Group): boolean {
    if (this.#turns === 0) return true;
    return group.ops.every((op) => {
      const { space, key } = keyOf(op);
      const lane = this.#lanesIn(space).get(key);
      return lane === undefined || isOpen(lane, writes(op));
    });
  }

  /** The keys of a group, for a turn that enters before anything else happens here: an unused key is forgotten. */
  lanesOf({ ops }: Group): Lanes {
    if (ops.length === 1) return this.#lane(keyOf(ops[0] as Operation));
    const uses = new Map<Lane, { readonly lane: Lane; write: boolean }>();
    for (const op of ops) {
      const lane = this.#lane(keyOf(op));
      const use = uses.get(lane);
      if (!use) uses.set(lane, { lane, write: writes(op) });
      else if (writes(op)) use.write = true;
    }
    return [...uses.values()];
  }

  /** Lines up; true if it is admitted on all of its keys already, else `leave` of another turn will name it. */
  enter(turn: Turn): boolean {
    const { lanes } = turn;
    this.#turns++;
    if (lanes instanceof Lane) lineAlone(turn, lanes);
    else for (const { lane, write } of lanes) line(turn, lane, write);
    return turn.missing === 0;
  }

  /** Ends an admitted turn; calls `admit` for each one that can go now. */
  leave(turn: Turn, admit: (next: Turn) => void): void {
    const { lanes } = turn;
    this.#turns--;
    if (lanes instanceof Lane) this.#leave(lanes, writesOnly(turn), admit);
    else for (const { lane, write } of lanes) this.#leave(lane, write, admit);
  }

  /** Takes a turn that was not admitted out of every line. */
  withdraw(turn: Turn, admit: (next: Turn) => void): void {
    const { lanes } = turn;
    const uses = lanes instanceof Lane ? [{ lane: lanes, write: writesOnly(turn) }] : lanes;
    this.#turns--;
    for (const { lane, write } of uses) {
      const place = lane.waiting?.findIndex((waiting) => waiting.turn === turn) ?? -1;
      if (place >= 0) {
        lane.waiting?.splice(place, 1);
        this.#advance(lane, admit);
      } else this.#leave(lane, write, admit);
    }
  }

  #lane({ space, key }: Key): Lane {
    return this.#lanesIn(space).use(key);
  }

  #lanesIn(space: Space): ChurnMap<Lane> {
    if (space === this.#lastSpace) return this.#lastLanes;
    let lanes = this.#spaces.get(space.id);
    if (!lanes) {
      // An application has a few spaces; one that makes up names without end leaves nothing behind.
      if (this.#spaces.size >= mostSpaces) {
        for (const [id, { size }] of this.#spaces) if (size === 0) this.#spaces.delete(id);
      }
      this.#spaces.set(space.id, (lanes = lanesOfSpace()));
    }
    this.#lastSpace = space;
    this.#lastLanes = lanes;
    return lanes;
  }

  #leave(lane: Lane, write: boolean, admit: (next: Turn) => void): void {
    lane.active += write ? 1 : -1;
    lane.releasing = false;
    this.#advance(lane, admit);
  }

  #advance(lane: Lane, admit: (next: Turn) => void): void {
    const { waiting } = lane;
    if (waiting) {
      let admitted = 0;
      for (const { write } of waiting) {
        if (write ? lane.active !== 0 : lane.active < 0) break;
        lane.active = write ? -1 : lane.active + 1;
        admitted++;
      }
      const next = waiting.splice(0, admitted);
      if (waiting.length === 0) lane.waiting = undefined;
      for (const { turn } of next) if (--turn.missing === 0) admit(turn);
    }
    if (lane.active !== 0) return;
    lane.siblings.leave(lane);
  }
}

function lanesOfSpace(): ChurnMap<Lane> {
  const lanes: ChurnMap<Lane> = new ChurnMap((key) => new Lane(key, lanes));
  return lanes;
}

function isOpen({ active, waiting }: Lane, write: boolean): boolean {
  return active === 0 || (!write && active > 0 && !waiting);
}

/** Lines a turn of one operation up. */
function lineAlone(turn: Turn, lane: Lane): void {
  const { group } = turn;
  if (lane.releasing && !lane.waiting && waits(group)) {
    lane.active--;
    lane.releasing = false;
    return;
  }
  line(turn, lane, writesOnly(turn));
  lane.releasing = turn.missing === 0 && group.ops[0]?.op === "release";
}

function line(turn: Turn, lane: Lane, write: boolean): void {
  if (isOpen(lane, write)) {
    lane.active = write ? -1 : lane.active + 1;
    return;
  }
  if (lane.waiting) lane.waiting.push({ turn, write });
  else lane.waiting = [{ turn, write }];
  turn.missing++;
}

function keyOf(op: Operation): Key {
  return "key" in op ? op.key : op.lock;
}

/** Whether a turn of one operation writes its key. */
function writesOnly({ group }: Turn): boolean {
  return writes(group.ops[0] as Operation);
}
