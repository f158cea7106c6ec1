import { drawId } from "../../../base/ids.ts";
import { isHoldfastError } from "../../../base/errors.ts";
import { notificationsForbidden } from "../signals/notification-flags.ts";
import type { Arg, Reply, Router, Subscriber } from "../router.ts";
import { answer, textOf, within, type Asking } from "./ask.ts";
import type { SettingsTerms } from "./check.ts";
import { fine, risk, wrong, type Judgement } from "./finding.ts";

/**
 * Runs every command that the scripts use, on a key of its own that is gone when it returns, and tells which were refused. The
 * key holds a string, so what is for other types fails, and changes nothing, unless it is not even allowed.
 */
export const trial = `
local key, channel, refused = KEYS[1], ARGV[1], {}
local function try(...)
  local reply = redis.pcall(...)
  local why = type(reply) == 'table' and reply.err
  if why and (why:find('NOPERM') or why:find("can't run this") or why:find("can't access") or why:find('nknown Redis command')) then
    refused[#refused + 1] = (...)
  end
end
try('TIME')
try('MSET', key, '1')
try('SET', key, '1', 'PX', 1000)
try('GET', key)
try('MGET', key)
try('GETRANGE', key, 0, 1)
try('HSET', key, 'f', '1')
try('HGET', key, 'f')
try('HDEL', key, 'f')
try('ZADD', key, 1, 'm')
try('ZREM', key, 'm')
try('ZCARD', key)
try('ZRANK', key, 'm')
try('ZRANGE', key, 0, 0)
try('ZRANGEBYSCORE', key, '-inf', 0)
try('PTTL', key)
try('PEXPIRE', key, 1000)
try('PUBLISH', channel, '')
try('PEXPIREAT', key, '1')
try('DEL', key)
return refused
`;

/** A script that no server has: where it is missing, EVALSHA is allowed. */
const nowhere = "0".repeat(40);

type Direct = readonly (readonly [name: string, args: readonly Arg[]])[];

/** What listings need to know whether keys have moved. */
function onCluster(key: string): Direct {
  return [
    ["exists", ["EXISTS", key]],
    ["cluster|nodes", ["CLUSTER", "NODES"]],
  ];
}

/** What a user may do. */
export interface Rights {
  readonly judgements: readonly Judgement[];
  /** Whether changes can be told. */
  readonly watches: boolean;
}

/** Whether this user may do what the backend does. Rejects with UnavailableError. */
export async function judgeRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<Rights> {
  const key = `${terms.prefix}:doctor:{${drawId()}}`;
  const channel = `${terms.prefix}:doctor`;
  const direct: Direct = [
    ["evalsha", ["EVALSHA", nowhere, "0"]],
    ["scan", ["SCAN", "0", "COUNT", "1"]],
    ...(router.topology === "cluster" ? onCluster(key) : []),
  ];
  const missing: string[] = [];
  for (const [name, args] of direct) {
    if (await isRefused(router.send("commands", key, args), asking)) missing.push(name);
  }
  const tried = await answer(router.send("commands", key, ["EVAL", trial, "1", key, channel]), asking);
  if (tried.reply === undefined) missing.push("eval");
  else missing.push(...(tried.reply as readonly Reply[]).map((name) => textOf(name).toLowerCase()));
  const listens = async (to: Subscribing): Promise<boolean> => maySubscribe(router, to, asking);
  if (!(await listens((subscriber) => subscriber.subscribe(channel, asking.deadline)))) missing.push("subscribe");
  const where = `~${terms.prefix}:* &${terms.prefix}:*`;
  const rights =
    missing.length === 0
      ? fine("the user's rights", `everything that is needed is allowed on ${where}`)
      : wrong(
          `the user may not: ${missing.join(", ")}`,
          "calls that need it fail",
          `allow ${missing.map((name) => `+${name}`).join(" ")} on ${where}`,
        );
  if (terms.notifications === "off") return { judgements: [rights], watches: false };
  const pattern = `__keyspace@0__:${terms.prefix}:doctor{*`;
  if (!(await listens((subscriber) => subscriber.subscribePattern(pattern, asking.deadline)))) {
    const watch = risk(
      "the user may not listen to keyspace notifications",
      "watch() is refused; all else works",
      "allow +psubscribe and all channels (&*), or do without watch()",
    );
    return { judgements: [rights, watch], watches: false };
  }
  const watch = await judgeWatch(router, terms, asking);
  return { judgements: [rights, watch], watches: watch.level === "fine" };
}

async function isRefused(promise: Promise<Reply>, asking: Asking): Promise<boolean> {
  const given = await answer(promise, asking);
  return given.reply === undefined && given.refused === "NOPERM";
}

type Subscribing = (subscriber: Subscriber) => Promise<void>;

async function maySubscribe(router: Router, to: Subscribing, asking: Asking): Promise<boolean> {
  const subscriber = router.subscriber({ message: () => undefined, gap: () => undefined });
  try {
    await within(to(subscriber), asking);
    return true;
  } catch (error) {
    if (isHoldfastError(error, "UNAVAILABLE")) throw error;
    return false;
  } finally {
    await subscriber.close();
  }
}

async function judgeWatch(router: Router, { notifications }: SettingsTerms, asking: Asking): Promise<Judgement> {
  const why = await within(notificationsForbidden(router, notifications, asking.deadline), asking);
  if (why !== undefined)
    return risk(
      "the user may not switch keyspace notifications on",
      "watch() is refused; all else works",
      'allow +config|get and +config|set; or set notify-keyspace-events "KA", and open with notifications: "assume"',
    );
  return fine(
    "keyspace notifications",
    notifications === "assume" ? "the user may listen to them" : "are there, or are switched on at the first watch()",
  );
}
