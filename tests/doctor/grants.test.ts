import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import {
  connect,
  examine,
  isHoldfastError,
  migrate,
  type Holdfast,
  type OwnConnection,
} from "../../src/entries/index.ts";
import { jsonStatements, page } from "../support/sql/documented.ts";
import { lacks, sqlKinds, startSql, type SqlKind, type SqlServer } from "../support/sql/kinds.ts";
import { until } from "../support/servers/until.ts";
import { useAll } from "./support/use-all.ts";

interface Grant {
  readonly privileges: readonly string[];
  readonly tables: readonly string[];
}

/** The statements that the page names for a kind of server. */
function statementsFor(kind: SqlKind): readonly string[] {
  const blocks = [...page.matchAll(/```sql\n(GRANT .*?)\n```/gs)].map(([, block = ""]) => block);
  const isMysql = (block: string): boolean => block.includes("mydb.");
  const block = blocks.find((one) => isMysql(one) === !kind.startsWith("postgres")) ?? "";
  const statements = block.split(";").map((text) => text.replaceAll(/--.*/g, "").trim());
  return statements.filter((text) => text !== "").map((text) => text.replaceAll("mydb.", "holdfast."));
}

function grantsIn(statements: readonly string[]): readonly Grant[] {
  return statements.flatMap((text) => {
    const [, privileges, tables] = /^GRANT ([A-Z, ]+) ON ([\w., ]+) TO service$/.exec(text) ?? [];
    if (privileges === undefined || tables === undefined || tables.startsWith("SCHEMA")) return [];
    return [{ privileges: privileges.split(", "), tables: tables.split(", ") }];
  });
}

for (const kind of sqlKinds) {
  describe(`the grants that docs/sql.md names, on ${kind}`, { skip: lacks(kind) }, () => {
    const isPostgres = kind.startsWith("postgres");
    const statements = statementsFor(kind);
    let server: SqlServer;
    let url: string;

    before(async () => {
      server = await startSql(kind, { flushes: true });
      url = server.url.replace(/\/\/\w+@/, "//service@");
      await migrate(server.url);
      await server.query(
        ...(isPostgres
          ? ["REVOKE ALL ON SCHEMA public FROM PUBLIC", "REVOKE ALL ON FUNCTION holdfast_json FROM PUBLIC"]
          : []),
        isPostgres ? "CREATE ROLE service LOGIN" : "CREATE USER service",
        ...statements,
      );
    });
    after(async () => server.stop());

    /** What doctor says that the user lacks. */
    const missed = async (): Promise<string | undefined> => {
      const { findings } = await examine(url);
      return findings.find(({ level, what }) => level === "wrong" && what === "the user's rights")?.why;
    };

    it("are of the tables that are there", async () => {
      const tables = grantsIn(statements).flatMap((grant) => grant.tables.map((name) => name.replace("holdfast.", "")));
      const rows = await server.query(
        `SELECT table_name AS name FROM information_schema.tables WHERE table_name LIKE 'holdfast%'`,
      );
      assert.deepEqual(tables.toSorted(), rows.map(({ name }) => String(name)).toSorted());
    });

    it("are enough for everything, and nothing is missed", async () => {
      const [one, two] = [await open(), await open()];
      await useAll(one, two);
      await withinOwn(one);
      await one.state("brief").save("gone", 1, { ttl: 1 });
      const left = async (): Promise<number> => {
        const [row] = await server.query(
          `SELECT count(*) AS n FROM holdfast_records WHERE expires_at < ${Date.now() + 60_000}`,
        );
        return Number(row?.["n"]);
      };
      await until("the sweep", async () => (await left()) === 0);
      await Promise.all([one.close(), two.close()]);
      assert.equal(await missed(), undefined);
    });

    it("are each needed: without it connect is refused, and names it", async () => {
      for (const { privileges, tables } of grantsIn(statements)) {
        for (const table of tables) {
          for (const privilege of privileges) {
            await server.query(`REVOKE ${privilege} ON ${table} FROM service`);
            const name = table.replace("holdfast.", "");
            // What cannot be read cannot be asked for what else is missing.
            const told = privilege === "SELECT" && name === "holdfast_meta" ? "docs/sql.md" : name;
            await assert.rejects(open(), (error: Error) => {
              assert.ok(error.message.includes(told), `${privilege} on ${name}: ${error.message}`);
              return isHoldfastError(error, "UNSUPPORTED");
            });
            await server.query(`GRANT ${privilege} ON ${table} TO service`);
          }
        }
      }
      await (await open()).close();
    });

    it("go with JSON in columns and indexes, as the page makes them", async () => {
      for (const text of jsonStatements(kind)) await server.query(text);
      const hf = await open();
      await hf.state("orders").save("42", { customer: "ann" });
      await hf.close();
      const customer = isPostgres ? "data->>'customer'" : "customer";
      const rows = await server.query(`SELECT 1 FROM holdfast_records WHERE ${customer} = 'ann'`);
      assert.equal(rows.length, 1);
    });

    async function open(): Promise<Holdfast> {
      return connect(`${url}?migrate=check`, { service: "checkout" });
    }

    /** A save and a check of a lease in a transaction of the same user. */
    async function withinOwn(hf: Holdfast): Promise<void> {
      const own: OwnConnection & { end(): Promise<void> } = isPostgres
        ? new Client({ connectionString: url })
        : await createConnection({ uri: url });
      if (own instanceof Client) await own.connect();
      await own.query("BEGIN", []);
      await hf.lock("own").run("k", async (lease) => {
        await lease.checkWithin(own);
        await hf
          .state<number>("own")
          .within(own)
          .upsert("k", () => 1, { lease });
      });
      await own.query("COMMIT", []);
      await own.end();
    }
  });
}
