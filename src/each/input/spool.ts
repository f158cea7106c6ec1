import { createWriteStream, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { drawId } from "../../base/ids.ts";

const prefix = "holdfast-each-";
const name = /^holdfast-each-(\d+)-/;

/** A stream's content in a file of this process. */
export interface Spool {
  readonly path: string;
  /** Removes the file. */
  remove(): void;
}

/**
 * Writes a stream to a temporary file, since items are read by several processes, and again after a crash of one. Files
 * that killed processes left behind are removed first.
 */
export async function spool(stream: AsyncIterable<string | Uint8Array>): Promise<Spool> {
  sweep();
  const path = join(tmpdir(), `${prefix}${process.pid}-${drawId()}`);
  const remove = (): void => rmSync(path, { force: true });
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600, flags: "wx" }));
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}

function sweep(): void {
  for (const file of readdirSync(tmpdir())) {
    const pid = Number(name.exec(file)?.[1] ?? 0);
    if (pid > 0 && pid !== process.pid && !isAlive(pid)) rmSync(join(tmpdir(), file), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // another user's process is alive too
  }
}
