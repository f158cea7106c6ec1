import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/entries/index.ts";
import { lacks, sqlKinds } from "../support/sql/kinds.ts";
import { drawPrefix } from "../support/sql/place.ts";
import { sharedServer } from "../support/sql/shared.ts";
import { command } from "../doctor/support/doctor.ts";

for (const kind of sqlKinds) {
  describe(`holdfast migrate on ${kind}`, { skip: lacks(kind) }, () => {
    it("makes the tables, says what it did, and does nothing the second time", async () => {
      const { url } = await sharedServer(kind);
      const prefix = drawPrefix();
      const own = `${url}?prefix=${prefix}`;
      const check = `${own}&migrate=check`;
      await assert.rejects(connect(check), { code: "UNSUPPORTED", message: /not made yet.*holdfast migrate URL/ });
      const first = await command("migrate", own);
      assert.deepEqual([first.code, first.err], [0, ""]);
      assert.match(
        first.out,
        new RegExp(`made the tables: version 1, prefix ${prefix} in schema (public|holdfast)\n$`),
      );
      assert.ok(!first.out.includes("prefix=t"), "of a URL no parameter is shown");
      const hf = await connect(check);
      await hf.state("orders").save("1", 1);
      await hf.close();
      const second = await command("migrate", check, "--json");
      assert.equal(second.code, 0);
      const said = JSON.parse(second.out) as Readonly<Record<string, unknown>>;
      assert.deepEqual([said["ok"], said["from"], said["to"], said["again"]], [true, 1, 1, []]);
      assert.match((await command("migrate", own)).out, /nothing to do/);
    });

    it("says that a table which was dropped is made again, and that what it held is lost", async () => {
      const server = await sharedServer(kind);
      const prefix = drawPrefix();
      const own = `${server.url}?prefix=${prefix}`;
      await command("migrate", own);
      await server.query(`DROP TABLE ${prefix}floors`);
      await assert.rejects(connect(own), { code: "UNSUPPORTED", message: /is gone.*holdfast migrate URL/ });
      const again = await command("migrate", own);
      assert.equal(again.code, 0);
      assert.match(again.out, new RegExp(`made again, empty, since it was dropped: \\w+\\.${prefix}floors`));
      await (await connect(own)).close();
    });

    it("prints statements that make them, and reaches no server", async () => {
      const server = await sharedServer(kind);
      const prefix = drawPrefix();
      const far = server.url.replace(/@[^/]*/, ":secret@192.0.2.1:1");
      const { code, out, err } = await command("migrate", `${far}?prefix=${prefix}`, "--print", "--timeout", "100ms");
      assert.deepEqual([code, err], [0, ""]);
      assert.ok(!out.includes("secret"));
      // As who runs a file of statements does: what stands between a pair of dollar signs is one.
      const statements = out.split(/;\n(?:\n|$)/).filter((text) => text !== "");
      await server.query(...statements);
      const hf = await connect(`${server.url}?prefix=${prefix}&migrate=check`);
      await hf.close();
    });

    it("says which right is missing, with 2, and that nobody answers, with 3", async () => {
      const server = await sharedServer(kind);
      const user = drawPrefix();
      const isPostgres = kind.startsWith("postgres");
      await server.query(isPostgres ? `CREATE ROLE ${user} LOGIN` : `CREATE USER ${user}@'%'`);
      if (isPostgres) await server.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
      else await server.query(`GRANT SELECT ON holdfast.* TO ${user}@'%'`);
      const poor = server.url.replace(/\w+@/, `${user}@`);
      const { code, err } = await command("migrate", `${poor}?prefix=${user}`);
      assert.equal(code, 2);
      assert.match(err, /tables cannot be made: .*(permission denied|no right).*docs\/sql\.md/);
      const away = await command("migrate", server.url.replace(/:\d+\//, ":1/"), "--timeout", "1s");
      assert.equal(away.code, 3);
      assert.match(away.err, /127\.0\.0\.1/);
    });
  });
}
