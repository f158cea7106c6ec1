// The Memory lock beside async-mutex: 256 waiters on one key, and uncontended. Run with --expose-gc.
import { Mutex } from "async-mutex";
import { connect } from "holdfast";
import { compare, inFlight } from "./measure.ts";

const hf = await connect("memory:", { service: "bench" });
const lock = hf.lock("bench");
const mutex = new Mutex();

await compare(
  "lock: hand-offs among 256 waiters on one key",
  [
    {
      name: "holdfast memory lock",
      run: (n) =>
        inFlight(n, 256, async () => {
          const lease = await lock.acquire("key");
          await lease.release();
        }),
    },
    {
      name: "async-mutex (no lease, fence or abort)",
      run: (n) =>
        inFlight(n, 256, async () => {
          const release = await mutex.acquire();
          release();
        }),
    },
  ],
  { operations: 100_000 },
);

await compare(
  "lock: acquire and release, nobody waits",
  [
    {
      name: "holdfast memory lock",
      run: (n) =>
        inFlight(n, 1, async (i) => {
          const lease = await lock.acquire(`key-${i % 100}`);
          await lease.release();
        }),
    },
    {
      name: "async-mutex",
      run: (n) =>
        inFlight(n, 1, async () => {
          const release = await mutex.acquire();
          release();
        }),
    },
  ],
  { operations: 50_000 },
);
await hf.close();
