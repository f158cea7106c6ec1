import type { Key } from "../../../base/keys.ts";
import type { SignalLayout } from "./seam.ts";

/**
 * What a script publishes to the channel of the session whose waiter it granted a lock: `grant .. ":" .. #owner .. ":"
 * .. owner .. physical name of the lock`, the length in bytes. Undefined for anything else, for anybody can publish to
 * a channel.
 */
export function readGrant(
  body: Buffer,
  layout: SignalLayout,
): { readonly lock: Key; readonly owner: string; readonly grant: number } | undefined {
  const first = body.indexOf(58);
  const second = body.indexOf(58, first + 1);
  if (first < 1 || second <= first + 1) return undefined;
  const grant = Number(body.toString("latin1", 0, first));
  const length = Number(body.toString("latin1", first + 1, second));
  if (!Number.isSafeInteger(grant) || grant <= 0 || !Number.isSafeInteger(length) || length < 0) return undefined;
  const end = second + 1 + length;
  if (end >= body.length) return undefined;
  const lock = layout.parse(body.toString("utf8", end));
  return lock && { lock, owner: body.toString("utf8", second + 1, end), grant };
}
