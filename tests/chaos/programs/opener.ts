// Opens and closes data, as the commit thread does, and tells its parent of each time, until it is killed.
import type * as LmdbDriver from "../../../src/backends/lmdb/driver.ts";
import type * as Databases from "../../../src/backends/lmdb/databases.ts";
import type * as SqliteDriver from "../../../src/backends/sqlite/driver.ts";
import type * as Store from "../../../src/backends/sqlite/store.ts";

const [, , kind, file] = process.argv as [string, string, string, string];
const from = `../../../dist/backends/${kind}`;
const reopen = kind === "lmdb" ? await lmdb() : await sqlite();
let stopped = false;
process.on("message", () => (stopped = true));
while (!stopped) {
  try {
    await reopen();
  } catch (error) {
    // It met the end of the last process, and cannot close what is half open. The product goes on in another thread, this one in
    // another process.
    if ((error as { code?: unknown }).code === 22) break;
    throw error;
  }
  process.send?.("opened");
  // The right to write is nobody's: without a pause the others would hardly get it.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
process.disconnect();

async function lmdb(): Promise<() => Promise<void>> {
  const { loadDriver } = (await import(`${from}/driver.js`)) as typeof LmdbDriver;
  const { openWritable, closeWritable } = (await import(`${from}/databases.js`)) as typeof Databases;
  const driver = await loadDriver();
  const files = { data: file, mutex: file.replace(/data\.mdb$/, "mutex.mdb") };
  return () => closeWritable(openWritable(driver, files, 1024 * 1024));
}

async function sqlite(): Promise<() => Promise<void>> {
  const { loadDriver } = (await import(`${from}/driver.js`)) as typeof SqliteDriver;
  const { SqliteStore } = (await import(`${from}/store.js`)) as typeof Store;
  const driver = await loadDriver();
  return () => Promise.resolve(new SqliteStore(driver, { path: file, prefix: "holdfast_" }).close());
}
