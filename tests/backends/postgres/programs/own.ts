// Writes an entry and a row in a transaction under a lease, says so, and waits to be killed.
import { Client } from "pg";
import { postgresBackend } from "../../../../src/backends/postgres/index.ts";
import { Instance } from "../../../../src/client/index.ts";
import { Lock } from "../../../../src/lock/index.ts";
import { StateStore } from "../../../../src/state/index.ts";

const [, , url = "", prefix = ""] = process.argv;
const instance = new Instance(postgresBackend({ url, prefix }));
const lease = await new Lock(instance, "killed").acquire("k", { ttl: "3s" });
const client = new Client({ connectionString: url });
await client.connect();
await client.query(`CREATE TABLE ${prefix}rows (name text PRIMARY KEY)`);
await client.query("BEGIN");
const own = new StateStore<number>(instance, "own").within(client);
await own.check(lease);
await own.save("killed", 9);
await client.query(`INSERT INTO ${prefix}rows VALUES ('row')`);
console.log("written");
setInterval(() => undefined, 1_000);
