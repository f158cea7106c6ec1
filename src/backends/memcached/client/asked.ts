import type { Due } from "../../common/alarm.ts";
import { StoreError } from "../../store/index.ts";
import { ProtocolError, type Reply } from "./parser.ts";

/** A request that waits for its reply, which is read by `read`; it throws ProtocolError for what is none to it. */
export class Pending implements Due {
  readonly deadline: number;
  readonly opaque: string;
  readonly read: (reply: Reply, flags: string) => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  place: number | undefined;

  constructor(
    { deadline, opaque, read }: Pick<Pending, "deadline" | "opaque" | "read">,
    resolve: (result: never) => void,
    reject: (error: Error) => void,
  ) {
    this.deadline = deadline;
    this.opaque = opaque;
    this.read = read;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** What a request asks with. */
export interface Asking<T> {
  /** Its line, without what numbers it and the line break. */
  readonly line: string;
  /** Follows the line. Not to be changed until the request is over. */
  readonly data?: Uint8Array | undefined;
  /** Makes the result of its reply; undefined where more of them are to come. Throws ProtocolError. */
  readonly read: (reply: Reply, flags: string) => T | undefined;
  readonly deadline: number;
  /** Whether the command is numbered, and its reply with it: those of the meta protocol that have a key are. */
  readonly numbered: boolean;
}

/**
 * What the server says went wrong. It keeps nothing of a value that it has no room for. Of any other request that it
 * fails to serve, as one that stands before others may, nothing is known.
 */
export function failureOf({ code, rest }: Reply): StoreError | undefined {
  if (code !== "ERROR" && code !== "CLIENT_ERROR" && code !== "SERVER_ERROR") return undefined;
  const refused = code === "SERVER_ERROR" && /^(?:out of memory|object too large)/.test(rest);
  const sent = code === "SERVER_ERROR" && !refused;
  return new StoreError(`memcached: ${rest === "" ? code : rest}`, { sent, refused });
}

/** The flags of a reply without its number, which must be that of the request. Throws ProtocolError. */
export function flagsOf({ rest }: Reply, opaque: string): string {
  if (opaque === "") return rest;
  if (rest.endsWith(opaque)) {
    const before = rest.length - opaque.length - 1;
    if (before < 0) return "";
    if (rest[before] === " ") return rest.slice(0, before);
  }
  const flags = rest.split(" ");
  const at = flags.indexOf(opaque);
  if (at < 0) throw new ProtocolError("a reply to another request");
  flags.splice(at, 1);
  return flags.join(" ");
}
