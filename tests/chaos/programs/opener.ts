// Opens and closes the data of a directory, as the commit thread does, and tells its parent of each time, until it is killed.
import type * as Driver from "../../../src/backends/lmdb/driver.ts";
import type * as Databases from "../../../src/backends/lmdb/databases.ts";

const directory = process.argv[2] as string;
const from = "../../../dist/backends/lmdb";
const { loadDriver } = (await import(`${from}/driver.js`)) as typeof Driver;
const { openWritable, closeWritable } = (await import(`${from}/databases.js`)) as typeof Databases;
const driver = await loadDriver();
const files = { data: `${directory}/data.mdb`, mutex: `${directory}/mutex.mdb` };
let stopped = false;
process.on("message", () => (stopped = true));
while (!stopped) {
  try {
    await closeWritable(openWritable(driver, files, 1024 * 1024));
  } catch (error) {
    // It met the end of the last process, and cannot close what is half open. The product goes on in another thread, this one in
    // another process.
    if ((error as { code?: unknown }).code === 22) break;
    throw error;
  }
  process.send?.("opened");
  // The mutex is nobody's by right: without a pause the others would hardly get it.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
process.disconnect();
