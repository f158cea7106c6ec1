// Holds locks until it is killed.
import { connect } from "holdfast";

const [url, locks] = process.argv.slice(2);
const hf = await connect(url, { service: "bench" });
for (let i = 0; i < Number(locks); i++) await hf.lock("work").acquire(`k${i}`, { ttl: "10m" });
process.send?.("held");
setInterval(() => undefined, 1_000);
