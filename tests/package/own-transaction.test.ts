import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { lacks, type SqlServer } from "../support/sql/kinds.ts";
import { sharedServer } from "../support/sql/shared.ts";
import { realUnit } from "../support/unit.ts";
import { createConsumer, type Consumer } from "./support/consumer.ts";
import { execute, succeed } from "./support/process.ts";

// The examples of own transactions, with the libraries that they are for, on the packed package.

const folder = path.join(root, "examples/own-transaction");
const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Readonly<
  Record<"dependencies" | "devDependencies", Readonly<Record<string, string>>>
>;
/** The example's name, and the kind of server that it runs on here. */
const examples = [
  ["pg", "postgres15"],
  ["drizzle", "postgres15"],
  ["kysely", "postgres15"],
  ["knex", "postgres15"],
  ["prisma", "postgres15"],
  ["mysql2", "mariadb"],
  ["drizzle-mysql", "mariadb"],
  ["knex", "mysql"],
] as const;

describe(
  "the examples of own transactions",
  { skip: lacks("postgres15") || lacks("mariadb") || lacks("mysql") },
  () => {
    let consumer: Consumer;
    before(async () => {
      const { holdfast: _, ...packages } = { ...manifest.dependencies, ...manifest.devDependencies };
      consumer = await createConsumer({
        optional: false,
        scripts: false,
        packages: Object.entries(packages).map(([name, version]) => `${name}@${version}`),
      });
      for (const name of readdirSync(folder).filter((file) => /\.(?:ts|prisma)$/.test(file))) {
        consumer.write(name, readFileSync(path.join(folder, name), "utf8"));
      }
      // What makes the client looks for a program that it does not need, and would fetch it.
      const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };
      const prisma = path.join(consumer.folder, "node_modules/prisma/build/index.js");
      await succeed(process.execPath, [prisma, "generate", "--schema", "schema.prisma"], { cwd: consumer.folder, env });
    });
    after(() => consumer.remove());

    it("have the types that they claim", async () => {
      const { compilerOptions } = JSON.parse(readFileSync(path.join(root, "tsconfig.json"), "utf8")) as {
        compilerOptions: object;
      };
      const own = { ...compilerOptions, paths: {} };
      consumer.write("tsconfig.json", JSON.stringify({ compilerOptions: own, include: ["*.ts"] }));
      const compiler = path.join(root, "node_modules/.bin/tsc");
      const { code, stdout } = await execute(compiler, ["-p", "tsconfig.json"], { cwd: consumer.folder });
      assert.equal(code, 0, stdout);
    });

    for (const [name, kind] of examples) {
      it(`${name}.ts runs on ${kind}`, async () => {
        const server: SqlServer = await sharedServer(kind);
        await server.query("CREATE TABLE IF NOT EXISTS receipts (order_id varchar(64) PRIMARY KEY)");
        await succeed(process.execPath, ["main.ts", name, server.url], { cwd: consumer.folder, timeoutMs: 60_000 });
        const [row] = await server.query(`SELECT count(*) AS n FROM receipts WHERE order_id = '${name}'`);
        assert.equal(Number(row?.["n"]), 1);
      });
    }

    it("give to `within` what passes the cases of the state suite", async () => {
      const [postgres, mysql] = [await sharedServer("postgres15"), await sharedServer("mariadb")];
      const env = { POSTGRES_URL: postgres.url, MYSQL_URL: mysql.url, HOLDFAST_UNIT: String(realUnit) };
      const args = ["--test-reporter=tap", "conformance.test.ts"];
      const told = await succeed(process.execPath, args, { cwd: consumer.folder, env, timeoutMs: 600_000 });
      const passed = /^# pass (\d+)$/m.exec(told)?.[1];
      assert.ok(Number(passed) > 120, told);
    });
  },
);
