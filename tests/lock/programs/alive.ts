// Prints how it went, and ends by itself or does not: what is held must not keep a process alive, who waits must.
import { memoryBackend } from "../../../src/backends/memory/index.ts";
import { Instance } from "../../../src/client/index.ts";
import { Lock } from "../../../src/lock/index.ts";

const instance = new Instance(memoryBackend());
const lock = new Lock(instance, "locks");
const lease = await lock.acquire("k");
lease.signal.addEventListener("abort", () => console.log("lost"));
if (process.argv[2] === "waiting") {
  const waited = await lock.tryAcquire("k", { wait: 300 });
  console.log(waited ? "acquired" : "timed out");
}
console.log("end");
