import { drawId } from "../../../base/ids.ts";
import { isHoldfastError } from "../../../base/errors.ts";
import { notificationsForbidden } from "../signals/notification-flags.ts";
import type { Arg, Reply, Router } from "../router.ts";
import { answer, textOf, within, type Asking } from "./ask.ts";
import type { SettingsTerms } from "./check.ts";
import { fine, unknown, wrong, type Judgement } from "./finding.ts";

/**
 * Runs every command that the scripts use, on a key of its own that is gone when it returns, and tells which were refused. The
 * key holds a string, so what is for other types fails, and changes nothing, unless it is not even allowed.
 */
const trial = `
local key, channel, refused = KEYS[1], ARGV[1], {}
local function try(...)
  local reply = redis.pcall(...)
  local why = type(reply) == 'table' and reply.err
  if why and (why:find('NOPERM') or why:find("can't run this") or why:find("can't access") or why:find('nknown Redis command')) then
    refused[#refused + 1] = (...)
  end
end
try('TIME')
try('SET', key, '1', 'PX', 1000)
try('MSET', key, '1')
try('GET', key)
try('MGET', key)
try('STRLEN', key)
try('EXISTS', key)
try('PEXPIREAT', key, '99999999999999')
try('PEXPIRE', key, 1000)
try('PTTL', key)
try('HSET', key, 'f', '1')
try('HGET', key, 'f')
try('HMGET', key, 'f')
try('HGETALL', key)
try('HDEL', key, 'f')
try('HLEN', key)
try('ZADD', key, 1, 'm')
try('ZREM', key, 'm')
try('ZCARD', key)
try('ZSCORE', key, 'm')
try('ZRANGE', key, 0, 0)
try('ZRANK', key, 'm')
try('PUBLISH', channel, '')
try('DEL', key)
return refused
`;

/** A script that no server has: where it is missing, EVALSHA is allowed. */
const nowhere = "0".repeat(40);

/** Whether this user may do what the backend does. Rejects with UnavailableError. */
export async function judgeRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<Judgement[]> {
  const key = `${terms.prefix}:doctor:{${drawId()}}`;
  const channel = `${terms.prefix}:doctor`;
  const direct: readonly (readonly [name: string, args: readonly Arg[]])[] = [
    ["evalsha", ["EVALSHA", nowhere, "0"]],
    ["script|load", ["SCRIPT", "LOAD", "return 1"]],
    ["scan", ["SCAN", "0", "COUNT", "1"]],
  ];
  const missing: string[] = [];
  for (const [name, args] of direct) {
    if (await isRefused(router.send("commands", key, args), asking)) missing.push(name);
  }
  const tried = await answer(router.send("commands", key, ["EVAL", trial, "1", key, channel]), asking);
  if (tried.reply === undefined) missing.push("eval");
  else missing.push(...(tried.reply as readonly Reply[]).map((name) => textOf(name).toLowerCase()));
  if (!(await maySubscribe(router, channel, asking))) missing.push("subscribe");
  const rights =
    missing.length === 0
      ? fine("the user's rights", `everything that is needed is allowed on ~${terms.prefix}:* and &${terms.prefix}:*`)
      : wrong(
          `the user may not: ${missing.join(", ")}`,
          "calls that need it fail",
          `allow ${missing.map((name) => `+${name}`).join(" ")} on ~${terms.prefix}:* and &${terms.prefix}:*`,
        );
  return [rights, ...(await judgeWatch(router, terms, asking))];
}

async function isRefused(promise: Promise<Reply>, asking: Asking): Promise<boolean> {
  const given = await answer(promise, asking);
  return given.reply === undefined && given.refused === "NOPERM";
}

async function maySubscribe(router: Router, channel: string, asking: Asking): Promise<boolean> {
  const subscriber = router.subscriber({ message: () => undefined, gap: () => undefined });
  try {
    await within(subscriber.subscribe(channel, asking.deadline), asking);
    return true;
  } catch (error) {
    if (isHoldfastError(error, "UNAVAILABLE")) throw error;
    return false;
  } finally {
    await subscriber.close();
  }
}

async function judgeWatch(router: Router, { notifications }: SettingsTerms, asking: Asking): Promise<Judgement[]> {
  if (notifications !== "enable") return [];
  const why = await within(notificationsForbidden(router, notifications, asking.deadline), asking);
  if (why !== undefined)
    return [unknown("changes are not told", why, "without it watch() is refused, and all else works")];
  return [fine("keyspace notifications", "are there, or are switched on at the first watch()")];
}
