import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetaClient } from "../../src/backends/memcached/client/client.ts";
import { connect } from "../../src/entries/index.ts";
import { kinds, lacks, memcachedUrl, startMemcached, type MemcachedServer } from "../support/memcached/server.ts";
import { doctor, report } from "./support/doctor.ts";

/** Puts items until the server has thrown some out. */
async function fill({ host, port }: MemcachedServer): Promise<void> {
  const client = new MetaClient({ servers: [{ host, port }] });
  const limit = { deadline: performance.now() + 20_000 };
  const item = Buffer.alloc(100_000);
  try {
    const [connection] = client.connections;
    assert.ok(connection);
    for (let i = 0; Number((await client.stats(connection, "", limit)).get("evictions")) === 0; i++) {
      await Promise.all(Array.from({ length: 20 }, async (_, j) => client.set(`${i}.${j}`, item, {}, limit)));
    }
  } finally {
    client.close();
  }
}

for (const kind of kinds) {
  describe(`holdfast doctor on ${kind}`, { skip: lacks(kind) }, () => {
    it("says what it is and what it leaves open, and that it was started of late", async () => {
      const server = await startMemcached({ kind });
      try {
        const { code, said } = await report(server.url);
        assert.equal(code, 0);
        assert.equal(said.backend, "memcached");
        const facts = said.facts[`127.0.0.1:${server.port}`] ?? {};
        assert.equal(facts["version"], server.version);
        assert.equal(facts["largest item"], 1024 * 1024);
        assert.match(said.leavesOpen.join("\n"), /started anew has forgotten.*second holder.*its own clock/s);
        assert.deepEqual(
          said.findings.map(({ level, what }) => [level, what]).filter(([level]) => level !== "fine"),
          [["risk", said.findings[0]?.what]],
        );
        assert.match(said.findings[0]?.what ?? "", /^the server was started \d+ s ago$/);
        assert.ok(said.roundTrips.every(({ count }) => count > 0));
        const { out } = await doctor(server.url);
        assert.match(out, /two holders of one lock +possible: best effort/);
      } finally {
        await server.stop();
      }
    });

    it("tells of items that were evicted, and of values that are small", async () => {
      const server = await startMemcached({ kind, settings: ["-m", "4", "-I", "512k"] });
      try {
        await fill(server);
        const { said } = await report(server.url);
        const risks = said.findings.filter(({ level }) => level === "risk").map(({ what }) => what);
        assert.match(risks.join("\n"), /\d+ evictions/);
        assert.match(risks.join("\n"), /items have at most 512\.0 KiB/);
        const hf = await connect(server.url);
        assert.equal(hf.capabilities.maxValue, 512 * 1024 - 512 - 4_096);
        const large = "v".repeat(hf.capabilities.maxValue + 1);
        await assert.rejects(hf.state("s").save("k", large), { code: "INVALID_ARGUMENT", message: /at most/ });
        await hf.close();
      } finally {
        await server.stop();
      }
    });

    it("tells of one of several that is away, and of evictions that are off", async () => {
      const [one, other] = await Promise.all([startMemcached({ kind }), startMemcached({ kind, settings: ["-M"] })]);
      try {
        await one.kill();
        const { code, said } = await report(memcachedUrl(one.port, other.port));
        assert.equal(code, 1);
        const [wrong, ...others] = said.findings;
        assert.equal(wrong?.what, `127.0.0.1:${one.port} cannot be reached`);
        assert.ok(others.some(({ what }) => what === `127.0.0.1:${other.port}: evictions are off`));
        const none = await doctor(memcachedUrl(one.port));
        assert.equal(none.code, 3);
        assert.match(none.err + none.out, /cannot be reached/);
      } finally {
        await Promise.all([one.stop(), other.stop()]);
      }
    });
  });
}
