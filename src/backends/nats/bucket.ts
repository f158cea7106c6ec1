import { setTimeout as pause } from "node:timers/promises";
import { UnavailableError, UnsupportedError } from "../../base/errors.ts";
import { systemTime as time } from "../../base/time.ts";
import type { Fact } from "../../port/index.ts";
import { enforce, findingsOf, timed } from "../common/findings.ts";
import { mayHaveBeenSent } from "../store/store-error.ts";
import type { Examined, Found, Limit } from "../store/store.ts";
import type { Connection } from "./connection.ts";
import type { ApiError } from "./driver.ts";
import { BACKEND, type ResolvedOptions } from "./options.ts";
import { endsKeys, firstOf, found, judge, leavesOpen, type StreamInfo } from "./settings.ts";

/** How long an answer is waited for before it is asked again, in ms. */
const askMs = 2_000;
/** The pause before what cannot be done yet is asked for again, in ms. */
const againMs = 100;
/** Code of servers that have no leader for what is asked. */
const noLeader = 10_008;
/** Code of servers that are too few for what is asked; "offline" there means that one was not heard of lately. */
const noPeers = 10_005;
/** Code of a server that is alone and is to keep several replicas. */
const noReplicas = 10_074;

/** An open bucket. */
export interface Opened {
  readonly domain: string;
  readonly declares: Found;
  /** Whether the one server that has it is asked without a detour. Of several, any might answer, and be behind. */
  readonly direct: boolean;
  /** Whether the server ends keys: since 2.11, where the bucket lets it. */
  readonly endsKeys: boolean;
}

/** Opens the bucket, and makes it where it is not there. Rejects with a HoldfastError or a StoreError. */
export async function openBucket(connection: Connection, options: ResolvedOptions, limit: Limit): Promise<Opened> {
  const { bucket: name, settings } = options;
  const nats = await connection.open();
  const info = (await infoOf(connection, name, limit)) ?? (await makeBucket(connection, options, limit));
  enforce(judge(info, nats), settings, BACKEND, nats);
  await beginNumbers(connection, name, info, limit);
  const { config, created } = info;
  return {
    domain: `${name} ${created}`,
    declares: found(info, nats),
    direct: config.allow_direct === true && config.num_replicas === 1,
    endsKeys: endsKeys(info),
  };
}

/** As a key-value bucket is made, but for markers of keys that have ended: see {@link endsKeys}. */
async function makeBucket(connection: Connection, options: ResolvedOptions, limit: Limit): Promise<StreamInfo> {
  const { bucket: name, replicas } = options;
  const config = {
    name: `KV_${name}`,
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    discard: "new",
    storage: "file",
    num_replicas: replicas,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_msg_ttl: true, // a server before 2.11 does not know it, and does not say that it has it
  };
  const { error, ...made } = await askStream(connection, "CREATE", name, config, limit);
  if (!error) return made;
  const other = await infoOf(connection, name, limit); // another process was first, with other options
  if (other) return other;
  const Kind = error.err_code === noReplicas ? UnsupportedError : UnavailableError;
  throw new Kind(`the bucket ${name} cannot be made: ${error.description}`, { backend: BACKEND });
}

/**
 * Numbers of messages are revisions, and must not come again in a bucket that is made anew while a process remembers
 * the one before. So they begin with the time at which it was made, in microseconds, and every process that finds it
 * unused asks for the same.
 */
async function beginNumbers(connection: Connection, name: string, info: StreamInfo, limit: Limit): Promise<void> {
  // Servers count up to it one by one in memory.
  if (info.state.last_seq > 0 || info.config.storage !== "file") return;
  const { error } = await askStream(connection, "PURGE", name, { seq: firstOf(info) }, limit);
  if (error) throw new UnavailableError(`the bucket ${name}: ${error.description}`, { backend: BACKEND });
}

/** What the server is and how the bucket is set. Rejects with a HoldfastError. */
export async function examineBucket(connection: Connection, options: ResolvedOptions, limit: Limit): Promise<Examined> {
  const nats = await connection.open();
  const info = await infoOf(connection, options.bucket, limit);
  const { config, state } = info ?? {};
  const fact = (group: string, all: Readonly<Record<string, Fact["value"] | undefined>>): Fact[] =>
    Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [{ group, name, value }]));
  return {
    facts: [
      ...fact("server", { version: nats.info?.version, cluster: nats.info?.cluster }),
      ...fact("bucket", {
        name: options.bucket,
        "is there": info !== undefined,
        storage: config?.storage,
        replicas: config?.num_replicas,
        history: config?.max_msgs_per_subject,
        messages: state?.messages,
        bytes: state?.bytes,
      }),
    ],
    declares: info && found(info, nats),
    leavesOpen,
    findings: findingsOf(info ? judge(info, nats) : []),
    roundTrips: [
      await timed("the server", async () => nats.flush(), { most: 50, share: 0.8, time, deadline: limit.deadline }),
    ],
  };
}

/** Undefined where there is no such bucket. */
async function infoOf(connection: Connection, name: string, limit: Limit): Promise<StreamInfo | undefined> {
  const { error, ...info } = await askStream(connection, "INFO", name, {}, limit);
  if (error?.code === 404) return undefined;
  if (!error) return info;
  throw new UnavailableError(`the bucket ${name}: ${error.description}`, { backend: BACKEND });
}

/**
 * Asks again until the deadline, which does nothing twice: servers of a cluster that have no leader yet do not answer,
 * or say so, one of them may be away for a moment, or not have heard yet of what another one has made.
 */
async function askStream(
  connection: Connection,
  what: "CREATE" | "INFO" | "PURGE",
  name: string,
  asked: object,
  limit: Limit,
): Promise<StreamInfo & { readonly error?: ApiError }> {
  for (;;) {
    const deadline = Math.min(limit.deadline, performance.now() + askMs);
    try {
      const answer = await connection.ask<StreamInfo>(`STREAM.${what}.KV_${name}`, asked, deadline);
      const { code, err_code: reason, description = "" } = answer.error ?? {};
      const isAway = reason === noLeader || (reason === noPeers && description.includes("offline"));
      const isEarly = isAway || (what === "PURGE" && code === 404);
      if (!isEarly || performance.now() + againMs >= limit.deadline) return answer;
    } catch (error) {
      if (!mayHaveBeenSent(error) || performance.now() >= limit.deadline) throw error;
    }
    await pause(againMs);
  }
}
