import { drawId } from "../../base/ids.ts";
import { processTag } from "../../base/process-tag.ts";
import type { Time } from "../../base/time.ts";
import type { Command } from "./commands.ts";
import type { Reads } from "./reads.ts";

/**
 * Names this process, or this thread of it, wherever it has data open, and starts with its tag. The ids of its sessions
 * start with it.
 */
export const self = `${processTag()}.${drawId()}`;

/** What the parts of an environment need of it. */
export interface Site {
  /** The backend's name. */
  readonly backend: string;
  readonly time: Time;
  /** While the data is open. */
  readonly reads: Reads | undefined;
  command(command: Command): Promise<unknown>;
}
