import { readFileSync, readlinkSync } from "node:fs";

/*
 * Who a process is, in a word that others of the machine can test: number, start, number space, clock. What is unique
 * in one space of process numbers (a container has its own) identifies nobody in another.
 */
interface Identity {
  readonly pid: number;
  /** In ticks since boot, by its own clock. */
  readonly start: string;
  /** The space of process numbers. */
  readonly space: string;
  /** Whose boot time the start is counted by. */
  readonly clock: string;
}

const none = "0";

let own: (Identity & { readonly word: string; readonly canLook: boolean }) | undefined;

function self(): NonNullable<typeof own> {
  if (own) return own;
  const pid = process.pid;
  const start = statOf("self")?.start ?? none;
  const space = namespace("pid");
  const clock = namespace("time");
  // /proc may be of another space of numbers: then what it says of a number is about another process.
  const numbers = /^NSpid:\s*(.*)$/m.exec(readText("/proc/self/status") ?? "")?.[1]?.split(/\s+/) ?? [];
  const canLook = numbers.length === 1 && Number(numbers[0]) === pid;
  const word = [pid.toString(36), start, space, clock].join("-");
  return (own = { pid, start, space, clock, word, canLook });
}

/** Names this process among all that ever ran since boot. */
export function processTag(): string {
  return self().word;
}

/** The tag of the process that a session or a peer of that id is of. */
export function tagOf(id: string): string {
  return id.slice(0, id.indexOf("."));
}

/** Whether `tag` was given in another space of process numbers. */
export function isForeign(tag: string): boolean {
  return parse(tag)?.space !== self().space;
}

/** Whether this process can tell in which space its number is, as far as the system has such. */
export function knowsSpace(): boolean {
  return process.platform !== "linux" || self().space !== none;
}

let checkedAt = Number.NaN;
const checked = new Map<string, boolean>();

/** As {@link isOver}, asked of the system once for each moment `now`: a transaction's, or a read's. */
export function wasOver(tag: string, now: number): boolean {
  if (now !== checkedAt) {
    checked.clear();
    checkedAt = now;
  }
  let over = checked.get(tag);
  if (over === undefined) checked.set(tag, (over = isOver(tag)));
  return over;
}

/**
 * Whether the kernel says that the process is no more, down to its last thread: nobody has its number, or somebody who
 * started at another time, or it is a zombie. Never true of one that lives, also stopped or deaf; of another space of
 * numbers it is never known.
 */
export function isOver(tag: string): boolean {
  const me = self();
  const other = parse(tag);
  if (!other || other.space !== me.space || tag === me.word || !knowsSpace()) return false;
  try {
    process.kill(other.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  if (!me.canLook) return false;
  const found = statOf(String(other.pid));
  if (!found) return false;
  if (found.start !== other.start && other.start !== none && other.clock === me.clock) return true;
  return found.state === "Z" && found.threads <= 1;
}

function parse(tag: string): Identity | undefined {
  const [pid = "", start, space, clock] = tag.split("-");
  const number = Number.parseInt(pid, 36);
  if (!start || !space || !clock || !(number > 0)) return undefined;
  return { pid: number, start, space, clock };
}

/** The state, threads and start of a process. */
function statOf(pid: string): { readonly state: string; readonly threads: number; readonly start: string } | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (!stat) return undefined;
  // Behind the last ")", since the process's name may hold anything: fields 3, 20 and 22.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", threads: Number(fields[17]), start: Number(fields[19]).toString(36) };
}

function namespace(kind: "pid" | "time"): string {
  try {
    return Number(readlinkSync(`/proc/self/ns/${kind}`).replace(/\D/g, "")).toString(36);
  } catch {
    return none; // no such namespaces here
  }
}

/** The text of a file of /proc, where there is one. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not Linux, or hidden from us
  }
}
