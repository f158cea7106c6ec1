import { isHoldfastError, UnavailableError, UnsupportedError } from "../../../base/errors.ts";
import { reachablePrimaries } from "../reachable.ts";
import { RedisFailure, type Node, type Reply, type Router } from "../router.ts";
import { isForbidden } from "./failures.ts";
import type { Notifications } from "./seam.ts";

/** Keyspace events (K) of strings ($), of keys of any type (g), of expiry (x) and of eviction (e). */
const needed = ["K", "g", "$", "x", "e"];
/** What `A` stands for. */
const all = "g$lshztdxe";

const parameter = "notify-keyspace-events";
const help =
  `the server must have ${parameter} with the flags "${needed.join("")}": set it there and say ` +
  'notifications: "assume", or allow this user CONFIG GET and CONFIG SET';

/** Adds the flags that a primary lacks and removes none; whether there were any. */
async function setFlags(node: Node): Promise<boolean> {
  const flags = await getFlags(node);
  const missing = missingFrom(flags);
  if (missing === "") return false;
  await node.send(["CONFIG", "SET", parameter, flags + missing]);
  return true;
}

async function getFlags(node: Node): Promise<string> {
  const reply = await node.send(["CONFIG", "GET", parameter]);
  const value = Array.isArray(reply) ? (reply as readonly Reply[])[1] : undefined;
  // A server that does not know the parameter answers with nothing.
  if (value === undefined || value === null) throw unsupported(undefined);
  return String(value);
}

/** The flags that are needed and not among these. */
export function missingFrom(flags: string): string {
  const has = (flag: string): boolean => flags.includes(flag) || (flags.includes("A") && all.includes(flag));
  return needed.filter((flag) => !has(flag)).join("");
}

/** Adds the missing flags on every primary; whether there were any. Rejects with a HoldfastError. */
export async function enableNotifications(router: Router, deadline: number): Promise<boolean> {
  const every = router.primaries(deadline).then(({ nodes }) => nodes);
  return onPrimaries(every, setFlags);
}

/**
 * Why changes cannot be told through this server; undefined if they can. Changes nothing. Rejects with
 * UnavailableError.
 */
export async function notificationsForbidden(
  router: Router,
  mode: Notifications,
  deadline: number,
): Promise<string | undefined> {
  if (mode === "assume") return undefined;
  if (mode === "off") return 'it was opened with notifications: "off"';
  try {
    await onPrimaries(reachablePrimaries(router, deadline), probe);
    return undefined;
  } catch (error) {
    if (isHoldfastError(error, "UNSUPPORTED")) return help;
    throw error;
  }
}

/** Rejects as forbidden where flags are missing and could not be set. */
async function probe(node: Node): Promise<boolean> {
  if (missingFrom(await getFlags(node)) === "") return false;
  try {
    // No server has it: one that lets this user set parameters says so, and changes nothing.
    await node.send(["CONFIG", "SET", "holdfast-none", "0"]);
  } catch (error) {
    if (isForbidden(error)) throw unsupported(error);
    if (error instanceof RedisFailure && error.reply !== undefined) return true;
    throw error;
  }
  return true;
}

async function onPrimaries(
  primaries: Promise<readonly Node[]>,
  work: (node: Node) => Promise<boolean>,
): Promise<boolean> {
  try {
    return (await Promise.all((await primaries).map(work))).includes(true);
  } catch (error) {
    if (isHoldfastError(error)) throw error;
    if (isForbidden(error)) throw unsupported(error);
    if (error instanceof RedisFailure && error.reply === "ERR" && error.message.includes("CONFIG SET")) {
      throw new UnsupportedError(`the server does not take the flags "${needed.join("")}" for ${parameter}`, {
        backend: "redis",
        cause: error,
      });
    }
    throw new UnavailableError(`the server's ${parameter} could not be asked for`, { backend: "redis", cause: error });
  }
}

function unsupported(cause: unknown): UnsupportedError {
  return new UnsupportedError(`the server does not tell of changes, and this user may not let it: ${help}`, {
    backend: "redis",
    cause,
  });
}
