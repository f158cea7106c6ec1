import type { Key } from "../../../base/keys.ts";
import type { SignalLayout } from "./seam.ts";

/**
 * What a script publishes to the channel of the session whose waiter it granted a lock:
 * `grant .. ":" .. #owner .. ":" .. owner .. physical name of the lock`, the length in bytes. Undefined for anything else, for
 * anybody can publish to a channel.
 */
export function readGrant(
  body: Buffer,
  layout: SignalLayout,
): { readonly lock: Key; readonly owner: string; readonly grant: number } | undefined {
  const decoded = body.toString("utf8");
  // Most are of one byte for each character; the others are cut by the byte.
  const text = decoded.length === body.length ? decoded : body.toString("latin1");
  const first = text.indexOf(":");
  const second = text.indexOf(":", first + 1);
  if (first < 1 || second <= first + 1) return undefined;
  const grant = Number(text.slice(0, first));
  const length = Number(text.slice(first + 1, second));
  if (!Number.isSafeInteger(grant) || grant <= 0 || !Number.isSafeInteger(length) || length < 0) return undefined;
  const end = second + 1 + length;
  if (end >= body.length) return undefined;
  const cut = (from: number, to?: number): string =>
    text === decoded ? text.slice(from, to) : body.toString("utf8", from, to);
  const lock = layout.parse(cut(end));
  return lock && { lock, owner: cut(second + 1, end), grant };
}
