import { fine, risk, unknown, wrong, type Judgement } from "../common/findings.ts";
import type { Declares, Found } from "../store/store.ts";
import type { NatsConnection } from "./driver.ts";

/** Room in a message for its headers. */
const headerBytes = 512;
/** What the backend promises on a bucket that is kept in files. */
export const promised: Declares = {
  exclusion: "primary",
  fence: "clock",
  reads: "primary",
  durability: "process",
  clock: "client",
  ttlGranularity: 1,
  shared: "network",
  maxContent: 1024 * 1024 - headerBytes,
};

/** What the server says of a bucket's stream. */
export interface StreamInfo {
  readonly config: {
    readonly subjects?: readonly string[];
    readonly retention: string;
    readonly storage: string;
    readonly discard: string;
    readonly num_replicas: number;
    readonly max_msgs_per_subject: number;
    readonly max_msgs: number;
    readonly max_bytes: number;
    readonly max_age: number;
    readonly max_msg_size: number;
    readonly sealed?: boolean;
    readonly allow_direct?: boolean;
    readonly allow_msg_ttl?: boolean;
    readonly subject_delete_marker_ttl?: number;
    readonly persist_mode?: string;
  };
  readonly created: string;
  readonly state: { readonly messages: number; readonly bytes: number; readonly last_seq: number };
}

/** The number that messages of a bucket begin with. */
export const firstOf = ({ created }: StreamInfo): number => Date.parse(created) * 1_000;

/**
 * Not with a history: what was there before would come back. Nor where the server leaves a marker of what has ended:
 * it takes the place of whatever the key has by then, also of what was written since the server saw that it had ended.
 */
export function endsKeys({ config }: StreamInfo): boolean {
  const { allow_msg_ttl: can, max_msgs_per_subject: history, subject_delete_marker_ttl: marks = 0 } = config;
  return can === true && history === 1 && marks === 0;
}

/** What a bucket promises instead of {@link promised}. */
export function found({ config }: StreamInfo, { info }: NatsConnection): Found {
  const isKept = config.storage === "file" && config.persist_mode !== "async";
  const limits = [info?.max_payload ?? Infinity, config.max_msg_size < 0 ? Infinity : config.max_msg_size];
  return { durability: isKept ? "process" : "none", maxContent: Math.min(...limits) - headerBytes };
}

/** What is wrong with how a bucket is set, and what is not. */
export function judge(info: StreamInfo, nats: NatsConnection): Judgement[] {
  const { config } = info;
  const all: Judgement[] = [];
  if (config.retention !== "limits" || config.sealed === true || !config.subjects?.length) {
    const what = "a stream that is sealed, a mirror or a queue";
    all.push(wrong(what, "it keeps no keys", "name another bucket", "always"));
  }
  if (config.max_age > 0) {
    const why = "what was said to stay goes, and locks with it: they may then have two holders";
    all.push(wrong(`max_age ${config.max_age / 1e9} s`, why, "take the bucket's ttl away", "asked"));
  }
  const version = nats.info?.version ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  // Servers before 2.11, or some of them, count less than they store, and drop what is too much whatever discard is.
  const isKept = config.discard === "new" && (major > 2 || minor >= 11);
  if (!isKept && (config.max_bytes > 0 || config.max_msgs > 0)) {
    const why = "a bucket that is full drops its oldest keys, and locks with them";
    const remedy = "set discard to new, on NATS 2.11 or later, or take the limit away";
    all.push(wrong(`a limit with discard ${config.discard} on NATS ${version}`, why, remedy, "asked"));
  }
  if (config.storage !== "file") {
    const why = "a server that ends loses locks and records, and numbers them as before: a lock may have two holders";
    all.push(wrong(`storage ${config.storage}`, why, "keep the bucket in files", "asked"));
  } else if (info.state.last_seq > 0 && info.state.last_seq < firstOf(info)) {
    const why = "a bucket that is deleted and made anew while processes run may be taken for the one before";
    all.push(risk("messages numbered from 1", why, "have the bucket made here, or hand over one that nobody has used"));
  }
  if (config.persist_mode === "async") {
    const why = "a server that ends loses what it acknowledged last";
    all.push(risk("persist_mode async", why, "set it to default"));
  }
  const { allow_msg_ttl: can = false, max_msgs_per_subject: history, subject_delete_marker_ttl: marks = 0 } = config;
  const ends = `NATS ${version}, allow_msg_ttl ${can}, history ${history}, subject_delete_marker_ttl ${marks}`;
  const stays = "keys that have ended are absent, but take room until somebody asks for them";
  const remedy = "use NATS 2.11 or later, with allow_msg_ttl, a history of 1 and no subject_delete_marker_ttl";
  const copies = `replicas ${config.num_replicas}`;
  const alone = "while its server is away nothing goes on, and its disk is the only copy";
  all.push(
    config.num_replicas > 1
      ? fine(copies, "a majority of its servers acknowledges each write")
      : risk(copies, alone, "have 3 servers keep it"),
    endsKeys(info) ? fine(`NATS ${version}`, "keys that have ended go by themselves") : risk(ends, stays, remedy),
    unknown(
      "sync_interval",
      "servers do not tell. Unless it is always, they flush every two minutes: a power cut loses what came since",
      "set it to always in the server's jetstream block, if that must not be",
    ),
  );
  return all;
}

/** What no setting decides. */
export const leavesOpen = [
  "An acknowledged write is with the operating system, and on disk within sync_interval, which is two minutes unless " +
    "the server is told otherwise. A power cut, or a machine that crashes, loses what came since; with several " +
    "replicas, if that befalls a majority of them, and a server that comes back without it may be believed.",
  "Leases and entries end by the clock of each process: with clocks that differ, a lock is granted early by so much.",
  "A guarded write is refused once a later holder has written or loaded the entry, and not before.",
  "A server that is restored from a backup knows the locks and records of that time.",
];
