// A process that holds many locks, writes under each, and says so; told to go on, it writes once more under each.
import { once } from "node:events";
import { connect, isHoldfastError } from "../../../src/entries/index.ts";
import { machineTime } from "./machine-time.ts";

const [url, prefix, count, ttl, renew] = process.argv.slice(2) as [string, string, string, string, string];
const hf = await connect(url, { service: "holders", timeout: "20s" });
const lock = hf.lock("work");
const store = hf.state<string>("work");

let armed = 0;
const leases = await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const key = `${prefix}-${i}`;
    const lease = await lock.acquire(key, { ttl: Number(ttl), wait: "20s", renew: renew === "renew" });
    armed = machineTime();
    await store.save(key, "early", { lease });
    return { key, lease };
  }),
);
process.send?.({ held: leases.length, armed });

await once(process, "message");
// Nothing here asks whether the lease still holds: the store alone must refuse.
const outcomes = await Promise.all(
  leases.map(async ({ key, lease }) => {
    try {
      await store.save(key, "late", { lease });
      return "accepted";
    } catch (error) {
      return isHoldfastError(error) ? error.code : String(error);
    }
  }),
);
process.send?.({ outcomes });
await hf.close();
process.disconnect();
