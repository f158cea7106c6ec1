import { parentPort, workerData } from "node:worker_threads";
import { lmdbBackend } from "../../../../src/backends/lmdb/index.ts";

/* Opens a directory in a thread of its own, and tells what came of it. */
const backend = lmdbBackend({ path: workerData as string });
const outcome = await backend.open().then(
  () => "opened",
  (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
);
await backend.close();
parentPort?.postMessage(outcome);
