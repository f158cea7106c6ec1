import type { Finding } from "../../../port/index.ts";
import type { Topology } from "../router.ts";
import type { ServerInfo } from "./server-info.ts";

/** What a backend is used for: a cache may lose what it likes, the rest may not. */
export type Use = "all" | "cache";

/** What is judged. */
export interface Subject {
  readonly server: ServerInfo;
  readonly topology: Topology;
  readonly use: Use;
  /** Whether the backend switches keyspace notifications on, relies on them, or does without. */
  readonly notifications: "enable" | "assume" | "off";
}

/** A finding, and whether a backend opens all the same. */
export interface Judgement extends Finding {
  /** `always`: it can never work. `asked`: unless opened with `settings: "warn"`. */
  readonly refuses: "always" | "asked" | "never";
}

/** Finds nothing, or one thing. */
export type Rule = (subject: Subject) => Judgement | undefined;

export function wrong(what: string, why: string, remedy: string, refuses: Judgement["refuses"] = "never"): Judgement {
  return { level: "wrong", what, why, remedy, refuses };
}

export function risk(what: string, why: string, remedy: string): Judgement {
  return { level: "risk", what, why, remedy, refuses: "never" };
}

export function fine(what: string, why: string): Judgement {
  return { level: "fine", what, why, remedy: "", refuses: "never" };
}

export function unknown(what: string, why: string, remedy: string): Judgement {
  return { level: "unknown", what, why, remedy, refuses: "never" };
}
