import type { Key } from "../../../base/keys.ts";
import type { SignalLayout } from "./seam.ts";

/**
 * What a script publishes to the channel of the session whose waiter it granted a lock:
 * `#owner .. ":" .. owner .. physical name of the lock`, the length in bytes. Undefined for anything else, for anybody can
 * publish to a channel.
 */
export function readGrant(
  body: Buffer,
  layout: SignalLayout,
): { readonly lock: Key; readonly owner: string } | undefined {
  const colon = body.indexOf(58);
  const length = Number(body.toString("latin1", 0, Math.max(colon, 0)));
  if (colon < 1 || !Number.isSafeInteger(length) || length < 0) return undefined;
  const end = colon + 1 + length;
  if (end >= body.length) return undefined;
  const lock = layout.parse(body.toString("utf8", end));
  return lock && { lock, owner: body.toString("utf8", colon + 1, end) };
}
