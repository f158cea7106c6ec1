import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { it } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { capabilitiesOf } from "../../src/backends/redis/capabilities.ts";
import { examineServers } from "../../src/backends/redis/settings/index.ts";
import { systemTime as time } from "../../src/base/time.ts";
import { paintFor } from "../../src/cli/demo/paint.ts";
import { page } from "../../src/cli/doctor/page.ts";
import { fakeRouter } from "./support/fake-server.ts";

const plain = paintFor({ isTTY: false, hasColors: () => false } as typeof process.stdout);

void it("prints nothing that steers a terminal, whatever a server says", async () => {
  const found = await examineServers(
    fakeRouter("single", {
      info: {
        slave0: "ip=\u001b[1m,port=1,state=online,offset=0,lag=0",
        os: "Linux \u001b[2J\u009b31m x",
        redis_version: "7.2.4\u0007",
      },
    }),
    { settings: "refuse", use: "all", notifications: "off", prefix: "hf", database: 0 },
    ({ promises }) => capabilitiesOf("single", promises, false),
    { time, deadline: time.monotonic() + 5_000 },
  );
  const printed = page("redis://localhost:6379", { ...found, backend: "redis" }, 80, plain);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(printed, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  assert.match(printed, /Linux \[2J31m x/);
});

void it("says that a failover can lose what the settings keep", async () => {
  for (const [appendfsync, survived] of [
    ["always", "the process, and a power cut, but not every failover"],
    ["everysec", "the process, but not every failover"],
  ] as const) {
    for (const topology of ["single", "sentinel", "cluster"] as const) {
      const found = await examineServers(
        fakeRouter(topology, { config: { appendfsync } }),
        { settings: "refuse", use: "all", notifications: "off", prefix: "hf", database: 0 },
        ({ promises }) => capabilitiesOf(topology, promises, false),
        { time, deadline: time.monotonic() + 5_000 },
      );
      const printed = page("redis://localhost:6379", { ...found, backend: "redis" }, 100, plain).split("\n");
      const row = printed.find((line) => line.includes("an acknowledged write survives")) ?? "";
      assert.ok(row.endsWith(`  ${survived}`), row);
    }
  }
});

void it("prints what the README shows of it", async () => {
  const readme = readFileSync(path.join(root, "README.md"), "utf8");
  const [, example = ""] = /<!-- doctor -->\n\n```text\n(.*?)\n```/s.exec(readme) ?? [];
  assert.notEqual(example, "");
  const router = fakeRouter("single", {
    info: {
      redis_version: "7.0.15",
      maxmemory: "9000000",
      slave0: "ip=10.0.0.9,port=6379,state=online,offset=1,lag=0",
    },
    config: { "maxmemory-policy": "allkeys-lru", appendfsync: "everysec", "min-replicas-to-write": "1" },
  });
  const found = await examineServers(
    router,
    { settings: "refuse", use: "all", notifications: "enable", prefix: "hf", database: 0 },
    ({ promises }, watches) => capabilitiesOf("single", promises, watches),
    { time, deadline: time.monotonic() + 5_000 },
  );
  const printed = page("redis://localhost:6379", { ...found, backend: "redis" }, 80, plain).split("\n");
  // It is shown in part, in the order that it is printed in.
  let from = 0;
  for (const line of example.split("\n")) {
    const at = printed.indexOf(line, from);
    assert.ok(at >= 0, `"${line}" is not printed, or not there:\n${printed.join("\n")}`);
    from = at + 1;
  }
});
