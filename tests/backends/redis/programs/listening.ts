// Subscribes to everything there is to subscribe to, and has nothing else to do.
import { redisBackend } from "../../../../src/backends/redis/index.ts";
import { space } from "../../../../src/base/keys.ts";

const backend = redisBackend({ url: process.argv[2] ?? "" });
const { signals } = backend.session();
if (!signals) throw new Error("there are signals");
for (const to of [{ grants: true }, { topic: "t" }, { changes: space("state", "", "records"), prefix: "" }] as const) {
  await signals.subscribe(to, () => undefined);
}
console.log("listening");
