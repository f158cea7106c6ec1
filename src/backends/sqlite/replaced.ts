import { statSync } from "node:fs";

/** Which file is at a path; undefined for none. */
export function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** Said where it is another one than was opened. */
export const replacedMessage = "the file was removed or replaced while it was open";
