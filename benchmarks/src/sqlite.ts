import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** `better-sqlite3` in a process of its own, since it has no binary for every Node: that of the Node that ran npm. */
export interface Sqlite {
  load(operations: number): Promise<void>;
  /** Each one a transaction, flushed to disk. */
  save(operations: number): Promise<void>;
  close(): Promise<void>;
}

/** Rejects where `better-sqlite3` could not be built. */
export async function openSqlite(file: string, value: string): Promise<Sqlite> {
  const child = fork(fileURLToPath(new URL("sqlite-child.mjs", import.meta.url)), [file, value], {
    execPath: process.env["npm_node_execpath"] ?? process.execPath,
    execArgv: [],
  });
  const ended = once(child, "exit");
  const failed = ended.then(([code]) => {
    throw new Error(`better-sqlite3 cannot be used here: its process ended with ${code}`);
  });
  failed.catch(() => undefined);
  const answer = async (): Promise<void> => {
    await Promise.race([once(child, "message"), failed]);
  };
  const run = async (what: string, operations: number): Promise<void> => {
    child.send({ what, operations });
    await answer();
  };
  await answer();
  return {
    load: (operations) => run("load", operations),
    save: (operations) => run("save", operations),
    async close() {
      child.disconnect();
      await ended;
    },
  };
}
