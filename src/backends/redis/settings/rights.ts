import { drawId } from "../../../base/ids.ts";
import { isHoldfastError, UnsupportedError } from "../../../base/errors.ts";
import { fine, risk, settingsHint, unknown, warnOnce, wrong, type Judgement } from "../../common/findings.ts";
import { isForbidden } from "../signals/failures.ts";
import { keyspacePattern } from "../signals/keyspace.ts";
import { notificationsForbidden } from "../signals/notification-flags.ts";
import type { Router, Subscriber, Topology } from "../router.ts";
import { answer, within, type Asking } from "./ask.ts";
import type { SettingsTerms } from "./check.ts";

/**
 * Every command that the backend uses, on a key of nobody, which is gone behind the last. The key holds a string, so
 * what is for other types fails, and changes nothing, unless it is not even allowed.
 */
export function trials(key: string, channel: string): readonly (readonly string[])[] {
  return [
    ["EVALSHA", nowhere, "0"],
    ["EVAL", "return 1", "1", key],
    ["SCAN", "0", "COUNT", "1"],
    ["TIME"],
    ["PUBLISH", channel, ""],
    ["MSET", key, "1"],
    ["SET", key, "1", "PX", "1000"],
    ["GET", key],
    ["MGET", key],
    ["GETRANGE", key, "0", "1"],
    ["SETRANGE", key, "0", "1"],
    ["HSET", key, "f", "1"],
    ["HGET", key, "f"],
    ["HMGET", key, "f"],
    ["HDEL", key, "f"],
    ["ZADD", key, "1", "m"],
    ["ZREM", key, "m"],
    ["ZCARD", key],
    ["ZRANK", key, "m"],
    ["ZRANGE", key, "0", "0"],
    ["PTTL", key],
    ["EXISTS", key],
    ["PEXPIRE", key, "1000"],
    ["PEXPIREAT", key, "1"],
    ["DEL", key],
  ];
}

/** How many keys are drawn for one that is within reach. */
const mostKeys = 256;

/** A script that no server has: where it is missing, EVALSHA is allowed. */
const nowhere = "0".repeat(40);

/** What is asked of servers that stand in an arrangement, beside what every server is asked. */
const arranged: Readonly<Record<Topology, readonly (readonly string[])[]>> = {
  single: [],
  // What tells the primary from a server that was one.
  sentinel: [["ROLE"]],
  // What reaches keys that are moved, and what listings need to know that some were. ASKING holds for the command
  // behind it.
  cluster: [["ASKING"], ["CLUSTER", "NODES"]],
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

/**
 * What connecting is refused for where the user may not do what the backend does: all of it at once. Rejects with
 * UnsupportedError; with `settings: "warn"` it is a warning.
 */
export async function requireRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<void> {
  let lack: Lack;
  try {
    lack = await findLack(router, terms.prefix, asking);
  } catch (error) {
    // What a server that takes no commands now would refuse is told by the first call that it refuses.
    if (isHoldfastError(error, "UNAVAILABLE")) return;
    throw error;
  }
  if (!isLacking(lack)) return;
  const { what, why, remedy } = judgeLack(lack, terms.prefix);
  const text = `NOPERM: ${what}: ${why}; ${remedy}`;
  if (terms.settings === "refuse") throw new UnsupportedError(`${text}${settingsHint}`, { backend: "redis" });
  warnOnce(router, text);
}

/** What the user lacks. */
interface Lack {
  readonly commands: string[];
  keys: boolean;
  channels: boolean;
}

function isLacking({ commands, keys, channels }: Lack): boolean {
  return commands.length > 0 || keys || channels;
}

/** In one go: nothing of another caller comes between what is tried. */
async function findLack(router: Router, prefix: string, asking: Asking): Promise<Lack> {
  const key = keyWithinReach(router, prefix);
  const tried = [...trials(key, channelOf(prefix)), ...arranged[router.topology]];
  const answers = await Promise.all(tried.map(async (args) => answer(router.send("commands", key, args), asking)));
  const lack: Lack = { commands: [], keys: false, channels: false };
  for (const [i, given] of answers.entries()) {
    if (given.reply !== undefined || !isForbidden(given.refused)) continue;
    const [, reached] = /access (?:a|one of the) (key|channel)/.exec(given.refused.message) ?? [];
    if (reached === "key") lack.keys = true;
    else if (reached === "channel") lack.channels = true;
    else lack.commands.push(nameOf(tried[i] as readonly string[]));
  }
  return lack;
}

function nameOf([name = "", sub = ""]: readonly string[]): string {
  return (name === "CLUSTER" ? `${name}|${sub}` : name).toLowerCase();
}

function channelOf(prefix: string): string {
  return `${prefix}:doctor`;
}

function judgeLack({ commands, keys, channels }: Lack, prefix: string): Judgement {
  const reached = [...(keys ? [`~${prefix}:*`] : []), ...(channels ? [`&${prefix}:*`] : [])];
  const what = [
    ...commands,
    ...(keys ? [`reach keys ~${prefix}:*`] : []),
    ...(channels ? [`use channels &${prefix}:*`] : []),
  ];
  return wrong(
    `the user may not: ${what.join(", ")}`,
    "calls that need it fail",
    `allow ${[...commands.map((name) => `+${name}`), ...reached].join(" ")}`,
  );
}

async function tryRights(router: Router, terms: SettingsTerms, asking: Asking): Promise<Rights> {
  const channel = channelOf(terms.prefix);
  const lack = await findLack(router, terms.prefix, asking);
  const listens = async (to: Subscribing): Promise<boolean | undefined> => maySubscribe(router, to, asking);
  const channels = await listens((subscriber, deadline) => subscriber.subscribe(channel, deadline));
  if (channels === false && !lack.channels) lack.commands.push("subscribe");
  const rights = isLacking(lack)
    ? judgeLack(lack, terms.prefix)
    : fine("the user's rights", `everything that is needed is allowed on ~${terms.prefix}:* &${terms.prefix}:*`);
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
