import type { Judgement } from "../../common/findings.ts";
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

/** Finds nothing, or one thing. */
export type Rule = (subject: Subject) => Judgement | undefined;
