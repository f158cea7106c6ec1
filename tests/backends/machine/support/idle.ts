import { backendAt } from "./kinds.ts";
import { lock, record, results } from "./processes.ts";

/* Leaves everything open and a write under way: the process must end by itself, after that write. */
const session = (await backendAt(process.argv[2] as string)).session();
await session.signals?.subscribe({ grants: true }, () => undefined);
await session.signals?.subscribe({ topic: "t" }, () => undefined);
await results(session, { op: "acquire", lock: lock("left"), owner: "o", mode: "exclusive", ttl: 60_000, info: "" });
process.channel?.unref();
void results(session, { op: "set", key: record("last"), id: "1", value: "v" });
