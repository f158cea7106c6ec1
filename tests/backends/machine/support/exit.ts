import { backendAt } from "./kinds.ts";
import { record } from "./processes.ts";

/* Exits while its commit thread has all it can take: the process must end, and leave the directory to others. */
const session = (await backendAt(process.argv[2] as string)).session();
const groups = Array.from({ length: 250 }, (_, i) => ({
  ops: [{ op: "set", key: record(`k${i}`), id: "1", value: "v".repeat(500) } as const],
}));
const call = { deadline: performance.now() + 60_000, claim: () => true };
async function write(): Promise<never> {
  for (;;) await session.execute(groups, call);
}
await session.execute(groups, call);
void write();
void write();
setTimeout(() => process.exit(7), Number(process.argv[3]));
