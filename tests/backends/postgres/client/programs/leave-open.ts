// Connects, uses every connection, and closes none: the process has to end by itself. With "pending" it ends only after the reply.
import { postgresClient } from "../../../../../src/backends/postgres/client.ts";

const [url = "", what = ""] = process.argv.slice(2);
const client = postgresClient({ url });
const limit = { deadline: performance.now() + (what === "down" ? 1_000 : 5_000) };
if (what === "down") {
  await client.open(limit).catch((error: unknown) => process.stdout.write(`${String(error)}\n`));
} else {
  await client.open(limit);
  await client.listener({ notified: () => undefined, gap: () => undefined }).listen("channel", limit.deadline);
  for (const lane of ["calls", "renewals"] as const) {
    const transaction = await client.transaction(limit, lane);
    await transaction.run([{ text: "SELECT 1", values: [] }]);
    await transaction.commit([]);
  }
  if (what === "pending") {
    await client.read({ text: "SELECT pg_sleep(0.5)", values: [] }, limit);
    process.stdout.write("replied\n");
  }
}
