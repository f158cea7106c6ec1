import { refuse, serve, threadData, type Store } from "../machine/serve.ts";
import { closeWritable, openWritable, transact, type WritableDatabases } from "./databases.ts";
import { loadDriver } from "./driver.ts";
import { Gate } from "./gate.ts";
import { WriteTables } from "./tables.ts";
import type { ThreadData } from "./thread.ts";

/* The commit thread of LMDB. */
const data = threadData() as ThreadData;

function storeOn(databases: WritableDatabases): Store {
  const { root, reserve } = databases;
  const tables = new WriteTables(databases);
  return {
    tables,
    domain: data.domain,
    commit(work, body) {
      /** Of the transaction, once all is done but the commit. */
      let number = -1;
      try {
        const result = transact(databases, () => {
          reserve.ensure(work.load((key) => tables.sizeOf(key)));
          const done = body();
          number = root.getWriteTxnId();
          return done;
        });
        return { result };
      } catch (error) {
        return { error, sent: number >= 0 && !undone(databases, number) };
      }
    },
    close: () => void closeWritable(databases),
  };
}

/**
 * Whether the transaction of that number, whose commit failed, surely never became visible: its number is free again.
 */
function undone(databases: WritableDatabases, number: number): boolean {
  try {
    return transact(databases, () => databases.root.getWriteTxnId()) === number;
  } catch {
    return false; // not known
  }
}

async function main(): Promise<void> {
  const driver = await loadDriver();
  const gate = new Gate(data.gate);
  serve(
    () => storeOn(openWritable(driver, data.files, data.mapSize)),
    (body) => gate.run(body),
  );
  // While it waits here the thread cannot end, so the environment that the main thread opens is surely the one of
  // this thread.
  Atomics.wait(new Int32Array(data.shared), 0, 0);
}

main().catch(refuse);
