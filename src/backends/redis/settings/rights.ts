import { drawId } from "../../../base/ids.ts";
import { isHoldfastError } from "../../../base/errors.ts";
import { keyspacePattern } from "../signals/keyspace.ts";
import { notificationsForbidden } from "../signals/notification-flags.ts";
import type { Arg, Reply, Router, Subscriber, Topology } from "../router.ts";
import { answer, textOf, within, type Asking } from "./ask.ts";
import type { SettingsTerms } from "./check.ts";
import { fine, risk, unknown, wrong, type Judgement } from "./finding.ts";

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
try('HMGET', key, 'f')
try('HDEL', key, 'f')
try('ZADD', key, 1, 'm')
try('ZREM', key, 'm')
try('ZCARD', key)
try('ZRANK', key, 'm')
try('ZRANGE', key, 0, 0)
try('PTTL', key)
try('EXISTS', key)
try('PEXPIRE', key, 1000)
try('PUBLISH', channel, '')
try('PEXPIREAT', key, '1')
try('DEL', key)
return refused
`;

/** How many keys are drawn for one that is within reach. */
const mostKeys = 256;

/** A script that no server has: where it is missing, EVALSHA is allowed. */
const nowhere = "0".repeat(40);

type Direct = readonly [name: string, args: readonly Arg[]];

/** What is asked of servers that stand in an arrangement, beside what every server is asked. */
const arranged: Readonly<Record<Topology, readonly Direct[]>> = {
  single: [],
  // What tells the primary from a server that was one.
  sentinel: [["role", ["ROLE"]]],
  // What reaches keys that are moved, and what listings need to know that some were. ASKING holds for the command behind it.
  cluster: [
    ["asking", ["ASKING"]],
    ["cluster|nodes", ["CLUSTER", "NODES"]],
  ],
};

/** What a user may do. */
export interface Rights {
  readonly judgements: readonly Judgement[];
  /** Whether changes can be told. */
  readonly watches: boolean;
}

/** Whether this user may do what the backend does. */
export async function judgeRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<Rights> {
  try {
    return await tryRights(router, terms, asking);
  } catch (error) {
    if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
    const untried = unknown(
      "the user's rights",
      "commands are not taken now, so they were not tried",
      "look again later",
    );
    return { judgements: [untried], watches: terms.notifications !== "off" };
  }
}

async function tryRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<Rights> {
  const key = keyWithinReach(router, terms.prefix);
  const channel = `${terms.prefix}:doctor`;
  const direct: readonly Direct[] = [
    ["evalsha", ["EVALSHA", nowhere, "0"]],
    ["scan", ["SCAN", "0", "COUNT", "1"]],
    ...arranged[router.topology],
  ];
  // In one go: nothing of another caller comes between them.
  const refused = await Promise.all(direct.map(([, args]) => isRefused(router.send("commands", key, args), asking)));
  const missing = direct.filter((_, i) => refused[i]).map(([name]) => name);
  const tried = await answer(router.send("commands", key, ["EVAL", trial, "1", key, channel]), asking);
  if (tried.reply === undefined) missing.push("eval");
  else missing.push(...(tried.reply as readonly Reply[]).map((name) => textOf(name).toLowerCase()));
  const listens = async (to: Subscribing): Promise<boolean | undefined> => maySubscribe(router, to, asking);
  const channels = await listens((subscriber, deadline) => subscriber.subscribe(channel, deadline));
  if (channels === false) missing.push("subscribe");
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
  const pattern = keyspacePattern(terms.database, `${channel}{`);
  const patterns = await listens((subscriber, deadline) => subscriber.subscribePattern(pattern, deadline));
  if (patterns === undefined) {
    const watch = unknown(
      "keyspace notifications",
      "not every primary could be asked for them",
      "look again when all answer",
    );
    return { judgements: [rights, watch], watches: true };
  }
  if (!patterns) {
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

/** A key of nobody, on a cluster of a slot whose primary is not away. */
function keyWithinReach(router: Router, prefix: string): string {
  let key = "";
  for (let i = 0; i < mostKeys && (key === "" || !router.isReady("commands", key)); i++) {
    key = `${prefix}:doctor:{${drawId()}}`;
  }
  return key;
}

async function isRefused(promise: Promise<Reply>, asking: Asking): Promise<boolean> {
  const given = await answer(promise, asking);
  return given.reply === undefined && given.refused === "NOPERM";
}

type Subscribing = (subscriber: Subscriber, deadline: number) => Promise<void>;

/** Undefined where that was not found out within a part of the time, since a primary is away. */
async function maySubscribe(router: Router, to: Subscribing, { time, deadline }: Asking): Promise<boolean | undefined> {
  const subscriber = router.subscriber({ message: () => undefined, gap: () => undefined });
  const now = time.monotonic();
  const sooner = now + (deadline - now) / 4;
  try {
    await within(to(subscriber, sooner), { time, deadline: sooner });
    return true;
  } catch (error) {
    return isHoldfastError(error, "UNAVAILABLE") ? undefined : false;
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
