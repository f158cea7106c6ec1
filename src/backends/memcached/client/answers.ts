import type { Asking } from "./asked.ts";
import type { Deleted, Item, SetOptions, Stored } from "./calls.ts";
import type { Link } from "./link.ts";
import { ProtocolError, type Reply } from "./parser.ts";

/*
 * What replies mean. Each throws ProtocolError for what is no answer to its request.
 */

/** More lines than any server has for its statistics. */
const mostLines = 4_096;

export function itemOf(link: Link, { code, value }: Reply, flags: string): Item | undefined {
  if (code === "EN") return undefined;
  if (code !== "VA" || !value) throw unexpected(code);
  const end = flags.indexOf(" ");
  const own = casIn(link, end < 0 ? flags : flags.slice(0, end));
  if (end < 0) return { value, cas: own, ttl: undefined, flags: undefined, won: false, claimed: false, stale: false };
  const more = flags.slice(end + 1).split(" ");
  const number = (letter: string): number | undefined => {
    const found = more.find((one) => one.startsWith(letter));
    return found === undefined ? undefined : Number(found.slice(1));
  };
  const has = (letter: string): boolean => more.includes(letter);
  return { value, cas: own, ttl: number("t"), flags: number("f"), won: has("W"), claimed: has("Z"), stale: has("X") };
}

/** The cas in a flag such as `c12`, with the connection's own number. Throws ProtocolError. */
function casIn(link: Link, flag: string): string {
  let isNumber = flag.length > 1 && flag.length <= 21 && flag[0] === "c";
  for (let i = 1; i < flag.length; i++) {
    const digit = flag.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) isNumber = false;
  }
  if (!isNumber) throw new ProtocolError("a reply without a cas");
  return link.prefix + flag.slice(1);
}

export function storedOf(link: Link, { code }: Reply, flags: string, mode: SetOptions["mode"]): Stored {
  if (code === "HD") return { result: "stored", cas: casIn(link, flags) };
  if (code === "EX") return { result: "exists" };
  if (code === "NF") return { result: "missing" };
  if (code === "NS") return { result: mode === "add" ? "exists" : "missing" };
  throw unexpected(code);
}

export function deletedOf({ code }: Reply): Deleted {
  if (code === "HD") return "deleted";
  if (code === "EX") return "exists";
  if (code === "NF") return "missing";
  throw unexpected(code);
}

export function countOf({ code, value }: Reply): bigint | undefined {
  const digits = value?.toString("latin1").trimEnd() ?? ""; // counting down leaves the length as it was
  if (code === "VA" && /^\d{1,20}$/.test(digits)) return BigInt(digits);
  if (code === "NF") return undefined;
  throw unexpected(code);
}

export function doneOf(yes: string, no: string): Asking<boolean>["read"] {
  return ({ code }) => {
    if (code === yes) return true;
    if (code === no) return false;
    throw unexpected(code);
  };
}

/** Reads the lines of `stats`. */
export function collected(): Asking<ReadonlyMap<string, string>>["read"] {
  const lines = new Map<string, string>();
  return ({ code, rest }) => {
    if (code === "END") return lines;
    if (code !== "STAT" || lines.size >= mostLines) throw new ProtocolError("no statistics");
    const space = rest.indexOf(" ");
    lines.set(space < 0 ? rest : rest.slice(0, space), space < 0 ? "" : rest.slice(space + 1));
    return undefined;
  };
}

const unexpected = (code: string): ProtocolError => new ProtocolError(`"${code}" is no answer to that`);
