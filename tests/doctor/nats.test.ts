import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { lacks } from "../support/nats/kinds.ts";
import { startNats, type NatsServer } from "../support/nats/server.ts";
import { doctor, report } from "./support/doctor.ts";

describe("holdfast doctor on a NATS", { skip: lacks("nats") }, () => {
  let server: NatsServer;
  before(async () => {
    server = await startNats({ kind: "nats" });
  });
  after(async () => server.stop());

  it("says what is promised, and what JetStream leaves open", async () => {
    const { code, out } = await doctor(`${server.url}/nobody`);
    assert.equal(code, 0);
    assert.match(out, /version +2\.\d+\.\d+/);
    assert.match(out.replaceAll(/\s+/g, " "), /on disk within sync_interval, which is two minutes unless/);
  });

  it("tells a bucket that drops what was said to stay, and what is not known", async () => {
    const connection = await server.connect();
    const config = { name: "KV_ages", subjects: ["$KV.ages.>"], max_age: 60e9, max_msgs_per_subject: 1 };
    await connection.request("$JS.API.STREAM.CREATE.KV_ages", JSON.stringify(config));
    await connection.close();
    const { code, said } = await report(`${server.url}/ages`);
    assert.equal(code, 1);
    const levels = said.findings.map(({ level, what }) => `${level} ${what}`);
    assert.ok(levels.includes("wrong max_age 60 s"), levels.join());
    assert.ok(levels.includes("unknown sync_interval"), levels.join());
    assert.ok(
      levels.some((one) => one.startsWith("risk NATS 2.")),
      "it ends no keys",
    );
  });
});
