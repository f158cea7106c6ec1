import type { EachEvent } from "../../entries/each.ts";
import { count } from "../words.ts";
import type { DrillEvent } from "./drill.ts";
import type { Paint } from "./paint.ts";

/** Events that come for many partitions at a time, and go on one line. */
export type Gathered = "taken" | "given" | "lost";

/** Such events in words. */
export function gatheredLine(type: Gathered, worker: number, partitions: readonly number[], paint: Paint): string {
  const which = `partition${partitions.length === 1 ? "" : "s"} ${[...partitions].sort((a, b) => a - b).join(" ")}`;
  switch (type) {
    case "taken":
      return paint.dim(`worker ${worker} took ${which}`);
    case "given":
      return paint.dim(`worker ${worker} gave up ${which}`);
    case "lost":
      return paint.yellow(`worker ${worker} lost ${which}: its lease had ended`);
  }
}

type Single = Exclude<EachEvent, { readonly type: "progress" | Gathered }>;

/** An event in words; undefined for one that is not worth a line. */
export function eventLine(event: Single, paint: Paint): string | undefined {
  const who = `worker ${event.worker}`;
  switch (event.type) {
    case "started":
      return `${who} started as process ${event.pid}`;
    case "exited":
      return event.how === "finished" ? undefined : paint.red(`${who}, process ${event.pid}, ended: ${event.how}`);
    case "finished":
      return undefined;
    case "fenced":
      return paint.yellow(
        `${who} was fenced: ${count(event.items, "late settlement")} of partition ${event.partition} refused ` +
          `(fence ${event.fence})`,
      );
    case "conflict":
      return `${who} repeats ${count(event.items, "settlement")} of partition ${event.partition} after a conflict`;
    case "dead":
      return paint.red(`order ${event.id} failed for good: ${event.error}`);
    case "away":
      return paint.red(`${who} waits for the store: ${event.error}`);
    case "back":
      return `${who} has the store back`;
  }
}

/** What was done to a worker, in words. */
export function drillLine(event: DrillEvent, paint: Paint): string {
  const who = `worker ${event.worker}, process ${event.pid}`;
  switch (event.type) {
    case "killed":
      return paint.red(`KILL  ${who} is killed`);
    case "paused":
      return paint.yellow(
        `PAUSE ${who} is paused for ${event.ms / 1000} s, longer than its lease, with settlements in hand`,
      );
    case "resumed":
      return paint.yellow(`RESUME ${who} goes on, and knows nothing of the pause`);
  }
}
