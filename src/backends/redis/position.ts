import { createHash } from "node:crypto";
import { InvalidArgumentError } from "../../base/errors.ts";
import type { Query } from "../../port/index.ts";
import type { Distribution } from "./distribution.ts";

/**
 * Where a listing is: the distribution that its present pass began under, how many passes have ended under it, the
 * primary it scans and its cursor there, and keys that were found but not shown. A primary "" comes after the last.
 */
export interface Position {
  readonly print: string;
  readonly passes: number;
  readonly node: string;
  readonly scan: string;
  readonly found: readonly string[];
}

/** The cursor of a page that ends there. */
export function cursorOf(query: Query, { print, passes, node, scan, found }: Position): string {
  const parts = [stampOf(query), print, passes, node, scan, found];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** Tells what a cursor is for. */
function stampOf({ space, prefix }: Query): string {
  return createHash("sha256").update(`${space.id}\n${prefix}`).digest("base64url").slice(0, 12);
}

/** Where a pass begins. */
export function begin({ nodes, print }: Distribution, passes: number): Position {
  return { print, passes, node: nodes[0]?.id ?? "", scan: "0", found: [] };
}

/** Where a cursor leads. Throws InvalidArgumentError for one that is of another query, or none of this backend. */
export function parse(cursor: string, query: Query): Position {
  const parts = read(cursor);
  if (Array.isArray(parts) && parts.length === 6 && parts[0] === stampOf(query)) {
    const [, print, passes, node, scan, found] = parts as unknown[];
    if (
      typeof print === "string" &&
      (passes === 0 || passes === 1) &&
      typeof node === "string" &&
      typeof scan === "string" &&
      /^\d{1,20}$/.test(scan) &&
      Array.isArray(found) &&
      found.every((one) => typeof one === "string")
    ) {
      return { print, passes, node, scan, found };
    }
  }
  throw new InvalidArgumentError("cursor is not one that this backend gave for this query", { backend: "redis" });
}

function read(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return undefined;
  }
}
