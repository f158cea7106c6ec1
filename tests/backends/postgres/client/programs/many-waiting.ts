// Calls, many at once, on a server that is not there: prints how they ended, and by how many MB the heap has grown when all had.
import { postgresClient } from "../../../../../src/backends/postgres/client.ts";
import { isHoldfastError } from "../../../../../src/base/errors.ts";

const [url = "", count = "0"] = process.argv.slice(2);
const client = postgresClient({ url, maxWaiting: 10_000 });
const used = (): number => {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
};
const before = used();
const started = performance.now();
const ends = new Map<string, number>();
const limit = { deadline: started + 1_500 };
const statement = { text: "SELECT 1", values: [] };
const calls = Array.from({ length: Number(count) }, async (_, i) => {
  try {
    if (i % 3 === 0) await client.read(statement, limit);
    else if (i % 3 === 1) await client.write(() => statement, limit);
    else await client.transaction(limit, "renewals");
  } catch (error) {
    const { message } = error as Error;
    const end = isHoldfastError(error) ? `${error.code}: ${message.replace(/:.*/s, "")}` : String(error);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
});
const waiting = used() - before;
await Promise.all(calls);
const took = performance.now() - started;
process.stdout.write(JSON.stringify({ ends: Object.fromEntries(ends), waiting, left: used() - before, took }));
