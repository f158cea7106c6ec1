import { ChurnMap, type Churned } from "../base/churn-map.ts";
import type { Key, Space } from "../base/keys.ts";
import type { Group, Operation } from "../port/index.ts";

/** A group that waits in the lines of its keys. */
export interface KeyEntry {
  readonly group: Group;
  /** Keys on which it is not yet admitted. Kept by {@link KeyOrder}. */
  missing: number;
  /** From {@link KeyOrder.linesOf}, right before it enters. */
  readonly lines: KeyLines;
}

/** The line of one key: who was admitted, and who waits. */
export class KeyLine implements Churned {
  readonly key: string;
  /** The lines of its space. */
  readonly siblings: ChurnMap<KeyLine>;
  /** Whether the line is empty. */
  gone = false;
  /** Admitted readers, or less than 0 by the admitted writers: one, or a release with the acquire behind it. */
  active = 0;
  /** Whether the admitted writer is a release, which an acquire that waits may go with. */
  releasing = false;
  /** Mostly none. */
  waiting: Waiting[] | undefined = undefined;
  /** The entry that reads this key alone, not yet sent, with no write lined up behind it: equal reads join it. */
  read: KeyEntry | undefined = undefined;
  /** The same for a read that checks the record's stamps. */
  stamped: KeyEntry | undefined = undefined;

  constructor(key: string, siblings: ChurnMap<KeyLine>) {
    this.key = key;
    this.siblings = siblings;
  }
}

/**
 * The lines of an entry's keys, each once, with whether the key is written; for one operation, as mostly, the line
 * alone.
 */
export type KeyLines = KeyLine | readonly KeyUse[];

interface KeyUse {
  readonly line: KeyLine;
  readonly write: boolean;
}

interface Waiting {
  readonly entry: KeyEntry;
  readonly write: boolean;
}

/** Whether an operation changes its key. */
export function writes(op: Operation): boolean {
  return op.op !== "get" && op.op !== "check" && op.op !== "inspect";
}

/**
 * Whether a group is an acquire that waits. It may go beside a release of the same lock: in either order it is served.
 */
function waits({ ops: [op] }: Group): boolean {
  return op?.op === "acquire" && op.wait !== undefined;
}

/** Whether a group changes anything. */
export function groupWrites(group: Group): boolean {
  return group.ops.some(writes);
}

/** Beyond this number, spaces without a call under way are forgotten. */
const mostSpaces = 64;

/**
 * Keeps the calls on one key in their order, whatever a backend does with groups in flight: readers of a key go
 * together, a writer goes alone. An entry joins the lines of all its keys at once, so entries cannot wait for each
 * other in a circle. Guards join no line: either order of a guarded write and a renewal is right.
 */
export class KeyOrder {
  /** By the id of the space, then by key: the caller's own string, whose hash is mostly known. */
  readonly #spaces = new Map<string, ChurnMap<KeyLine>>();
  /** How many entries have joined and not left. */
  #entries = 0;
  #lastSpace: Space | undefined;
  #lastLines = linesOfSpace();

  /** Whether a group could go at once, without joining a line. */
  idle(group: Group): boolean {
    if (this.#entries === 0) return true;
    return group.ops.every((op) => {
      const { space, key } = keyOf(op);
      const line = this.#linesIn(space).get(key);
      return line === undefined || isOpen(line, writes(op));
    });
  }

  /**
   * The lines of a group's keys, for an entry that joins them before anything else happens here: empty lines are
   * forgotten.
   */
  linesOf({ ops }: Group): KeyLines {
    if (ops.length === 1) return this.#line(keyOf(ops[0] as Operation));
    const uses = new Map<KeyLine, { readonly line: KeyLine; write: boolean }>();
    for (const op of ops) {
      const line = this.#line(keyOf(op));
      const use = uses.get(line);
      if (!use) uses.set(line, { line, write: writes(op) });
      else if (writes(op)) use.write = true;
    }
    return [...uses.values()];
  }

  /**
   * Joins the lines. True if the entry is admitted on all of its keys; else a later `leave` of another entry admits it.
   */
  enter(entry: KeyEntry): boolean {
    const { lines } = entry;
    this.#entries++;
    if (lines instanceof KeyLine) joinAlone(entry, lines);
    else for (const { line, write } of lines) join(entry, line, write);
    return entry.missing === 0;
  }

  /** Ends an admitted entry. Calls `admit` for each entry that can go now. */
  leave(entry: KeyEntry, admit: (next: KeyEntry) => void): void {
    const { lines } = entry;
    this.#entries--;
    if (lines instanceof KeyLine) this.#leave(lines, writesOnly(entry), admit);
    else for (const { line, write } of lines) this.#leave(line, write, admit);
  }

  /** Takes an entry that was not admitted out of every line. */
  withdraw(entry: KeyEntry, admit: (next: KeyEntry) => void): void {
    const { lines } = entry;
    const uses = lines instanceof KeyLine ? [{ line: lines, write: writesOnly(entry) }] : lines;
    this.#entries--;
    for (const { line, write } of uses) {
      const place = line.waiting?.findIndex((waiting) => waiting.entry === entry) ?? -1;
      if (place >= 0) {
        line.waiting?.splice(place, 1);
        this.#advance(line, admit);
      } else this.#leave(line, write, admit);
    }
  }

  #line({ space, key }: Key): KeyLine {
    return this.#linesIn(space).use(key);
  }

  #linesIn(space: Space): ChurnMap<KeyLine> {
    if (space === this.#lastSpace) return this.#lastLines;
    let lines = this.#spaces.get(space.id);
    if (!lines) {
      // An application has a few spaces; one that makes up names without end leaves nothing behind.
      if (this.#spaces.size >= mostSpaces) {
        for (const [id, { size }] of this.#spaces) if (size === 0) this.#spaces.delete(id);
      }
      this.#spaces.set(space.id, (lines = linesOfSpace()));
    }
    this.#lastSpace = space;
    this.#lastLines = lines;
    return lines;
  }

  #leave(line: KeyLine, write: boolean, admit: (next: KeyEntry) => void): void {
    line.active += write ? 1 : -1;
    line.releasing = false;
    this.#advance(line, admit);
  }

  #advance(line: KeyLine, admit: (next: KeyEntry) => void): void {
    const { waiting } = line;
    if (waiting) {
      let admitted = 0;
      for (const { write } of waiting) {
        if (write ? line.active !== 0 : line.active < 0) break;
        line.active = write ? -1 : line.active + 1;
        admitted++;
      }
      const next = waiting.splice(0, admitted);
      if (waiting.length === 0) line.waiting = undefined;
      for (const { entry } of next) if (--entry.missing === 0) admit(entry);
    }
    if (line.active !== 0) return;
    line.siblings.leave(line);
  }
}

function linesOfSpace(): ChurnMap<KeyLine> {
  const lines: ChurnMap<KeyLine> = new ChurnMap((key) => new KeyLine(key, lines));
  return lines;
}

function isOpen({ active, waiting }: KeyLine, write: boolean): boolean {
  return active === 0 || (!write && active > 0 && !waiting);
}

/** Lets an entry of one operation join the line of its key. */
function joinAlone(entry: KeyEntry, line: KeyLine): void {
  const { group } = entry;
  if (line.releasing && !line.waiting && waits(group)) {
    line.active--;
    line.releasing = false;
    return;
  }
  join(entry, line, writesOnly(entry));
  line.releasing = entry.missing === 0 && group.ops[0]?.op === "release";
}

function join(entry: KeyEntry, line: KeyLine, write: boolean): void {
  if (isOpen(line, write)) {
    line.active = write ? -1 : line.active + 1;
    return;
  }
  if (line.waiting) line.waiting.push({ entry, write });
  else line.waiting = [{ entry, write }];
  entry.missing++;
}

function keyOf(op: Operation): Key {
  return "key" in op ? op.key : op.lock;
}

/** Whether an entry of one operation writes its key. */
function writesOnly({ group }: KeyEntry): boolean {
  return writes(group.ops[0] as Operation);
}
