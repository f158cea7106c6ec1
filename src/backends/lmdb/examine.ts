import { existsSync } from "node:fs";
import path from "node:path";
import type { Backend, Capabilities, Examination } from "../../port/index.ts";
import { examineFiles } from "../machine/examine.ts";
import { speech } from "./failures.ts";

const leavesOpen = [
  "All its processes must be in one container (pid namespace); another one is refused while they have it open.",
  "It is one machine's: what is lost with its disk is lost.",
  "A process that is stopped inside a commit, or while it opens the directory, stalls every " +
    "writer until it goes on or dies; their calls end by their timeout.",
];

/** What can be said of a directory. */
export function examineDirectory(
  backend: Backend,
  directory: string,
  capabilities: Capabilities,
  deadline: number,
): Promise<Examination> {
  const data = path.join(directory, "data.mdb");
  return examineFiles({
    backend,
    speech,
    capabilities,
    deadline,
    path: directory,
    data,
    isMade: existsSync(data),
    leavesOpen,
  });
}
