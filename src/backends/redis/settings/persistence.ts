import type { Capabilities } from "../../../port/index.ts";
import { fine, risk, unknown, wrong, type Judgement } from "../../common/findings.ts";
import type { Subject } from "./finding.ts";
import type { ServerInfo } from "./server-info.ts";

/** How a server keeps its data, as far as it tells. */
export type Persistence =
  | { readonly kind: "log"; readonly flush: "always" | "everysec" | "no" | undefined }
  /** `every`: seconds after which a single change is saved at the latest. */
  | { readonly kind: "snapshots"; readonly every: number | undefined }
  | { readonly kind: "none" | "unknown" };

export function persistenceOf(server: ServerInfo): Persistence {
  const { setting, info } = server;
  if (server.flavour === "Dragonfly") {
    const cron = setting("snapshot_cron");
    return cron === undefined
      ? { kind: "unknown" }
      : cron === ""
        ? { kind: "none" }
        : { kind: "snapshots", every: undefined };
  }
  if (setting("appendonly") === "yes" || info("aof_enabled") === "1") {
    const flush = setting("appendfsync");
    // While the log is rewritten it is not flushed.
    const paused = flush === "always" && setting("no-appendfsync-on-rewrite") === "yes";
    return {
      kind: "log",
      flush: paused ? "no" : flush === "always" || flush === "everysec" || flush === "no" ? flush : undefined,
    };
  }
  const save = setting("save");
  if (save === undefined) return { kind: "unknown" };
  const seconds = save.split(/\s+/).filter((_, i) => i % 2 === 0 && save !== "");
  return seconds.length === 0 ? { kind: "none" } : { kind: "snapshots", every: Math.max(...seconds.map(Number)) };
}

/** What a write that this server has acknowledged survives. No more is said than is known. */
export function durabilityOf(server: ServerInfo): Capabilities["durability"] {
  const persistence = persistenceOf(server);
  if (persistence.kind !== "log") return "none";
  return persistence.flush === "always" ? "disk" : "process";
}

export function judgePersistence({ server, use }: Subject): Judgement | undefined {
  if (use === "cache") return fine("persistence", "caches may lose what they hold");
  const persistence = persistenceOf(server);
  switch (persistence.kind) {
    case "log":
      return judgeLog(persistence.flush);
    case "snapshots":
      return risk(
        persistence.every === undefined ? "only snapshots" : `only snapshots (save ${server.setting("save")})`,
        `a server that dies loses what it acknowledged since the last snapshot${
          persistence.every === undefined ? "" : `, up to ${inWords(persistence.every)} of it`
        }: state, and locks that are held`,
        server.flavour === "Dragonfly" ? "have --snapshot_cron take them often" : "set appendonly yes",
      );
    case "none":
      return wrong(
        server.flavour === "Dragonfly" ? "snapshot_cron is empty" : 'no persistence (save "", appendonly no)',
        "a server that is restarted has lost every record and every lock",
        server.flavour === "Dragonfly" ? "set --snapshot_cron" : "set appendonly yes",
        "asked",
      );
    case "unknown":
      return unknown(
        "persistence",
        "the server does not tell whether it keeps its data",
        "see what its operator promises for a restart",
      );
  }
}

function judgeLog(flush: "always" | "everysec" | "no" | undefined): Judgement {
  const what = flush === undefined ? "appendonly yes" : `appendonly yes, appendfsync ${flush}`;
  switch (flush) {
    case "always":
      return fine(what, "an acknowledged write is on disk");
    case "everysec":
      return risk(
        what,
        "a power cut loses the last second or two of what was acknowledged",
        "set appendfsync always, if that must not be",
      );
    case "no":
      return risk(
        what,
        "a power cut loses what the system had not written to disk, often half a minute",
        "set appendfsync everysec or always, and no-appendfsync-on-rewrite no",
      );
    case undefined:
      return unknown(
        what,
        "the server does not tell how often it flushes its log",
        "see that appendfsync is everysec or always",
      );
  }
}

/** Whether the last attempt to write to disk failed: such a server refuses writes. */
export function judgeSaving({ server }: Subject): Judgement | undefined {
  const log = server.info("aof_last_write_status") === "err";
  const snapshot =
    server.info("rdb_last_bgsave_status") === "err" &&
    (server.setting("stop-writes-on-bgsave-error") ?? "yes") === "yes" &&
    server.setting("save") !== "";
  if (!log && !snapshot) return undefined;
  return wrong(
    log ? "the append-only file could not be written" : "the last snapshot failed",
    "the server refuses writes (MISCONF)",
    "see its log: the disk is full, or its directory cannot be written",
  );
}

function inWords(seconds: number): string {
  if (seconds % 3600 === 0) return seconds === 3600 ? "an hour" : `${seconds / 3600} hours`;
  return seconds % 60 === 0 ? (seconds === 60 ? "a minute" : `${seconds / 60} minutes`) : `${seconds} s`;
}
