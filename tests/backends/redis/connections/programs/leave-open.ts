// Connects, uses every connection, and closes none: the process has to end by itself. With "pending" it ends only after the reply.
import { systemTime } from "../../../../../src/base/time.ts";
import { makeRouter } from "../../../../../src/backends/redis/connections/index.ts";

const [url = "", what = ""] = process.argv.slice(2);
const router = makeRouter({ url }, systemTime);
const deadline = systemTime.monotonic() + 5_000;
if (what === "down") {
  await router
    .ready(systemTime.monotonic() + 3_000)
    .catch((error: unknown) => process.stdout.write(`${String(error)}\n`));
} else {
  await router.ready(deadline);
  await router.subscriber({ message: () => undefined, gap: () => undefined }).subscribe("channel", deadline);
  await router.send("renewals", undefined, ["PING"]);
  if (what === "pending") {
    await router.send("commands", undefined, ["BLPOP", "nothing", "1"]);
    process.stdout.write("replied\n");
  }
}
