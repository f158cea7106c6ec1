import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { findServer } from "../backends/redis/servers.ts";
import { startRedis, type RedisServer } from "../support/redis/server.ts";
import { realUnit } from "../support/unit.ts";
import { createConsumer, type Consumer } from "./support/consumer.ts";
import { nodeBinary, nodeVersions, type NodeVersion } from "./support/node-versions.ts";
import { succeed } from "./support/process.ts";

// What the writer of a backend writes to run the published suites with no test runner at all.
const program = `
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lmdb } from "holdfast/lmdb";
import { memory } from "holdfast/memory";
import { redis } from "holdfast/redis";
import { sqlite } from "holdfast/sqlite";
import * as testing from "holdfast/testing";

function place(make, remove = () => undefined) {
  const made = [];
  return {
    backend: () => (made.push(make()), made.at(-1)),
    elapse: testing.elapse,
    close: async () => {
      await Promise.all(made.map((backend) => backend.close()));
      await remove();
    },
  };
}
const subjects = {
  memory: async () => {
    const name = "p" + Math.random();
    return place(() => memory({ name }));
  },
  lmdb: async () => {
    const path = await mkdtemp(join(tmpdir(), "holdfast-suite-"));
    return place(() => lmdb({ path }), () => rm(path, { recursive: true, force: true }));
  },
  sqlite: async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-suite-"));
    const path = join(folder, "data.db");
    return place(() => sqlite({ path }), () => rm(folder, { recursive: true, force: true }));
  },
  redis: async () => {
    const prefix = "p" + Math.random();
    return place(() => redis({ url, prefix, connectTimeout: 20_000 }));
  },
};

const [, , name, url, unit, step, ...wanted] = process.argv;
const suites = wanted.length > 0 ? wanted : Object.keys(testing).filter((one) => one.endsWith("Cases"));
const subject = { name, place: subjects[name], unit: Number(unit) };
const ran = {};
const failed = [];
for (const suite of suites) {
  const whole = (await testing.bindSuite(suite, testing[suite], subject)).filter((one) => one.skip === undefined);
  const bound = whole.filter((_, i) => i % Number(step) === 0);
  ran[suite] = bound.length;
  const worker = async () => {
    for (let one = bound.shift(); one; one = bound.shift()) {
      await one.run().catch((error) => failed.push(one.title + ": " + (error.stack ?? error)));
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}
console.log(JSON.stringify({ ran, failed }));
`;

// The Node that runs this has passed them in tests/conformance.
const versions = nodeVersions.filter((each) => each !== "24");
const [oldest, second, newest] = versions as [NodeVersion, NodeVersion, NodeVersion];

interface Part {
  readonly version: NodeVersion;
  /** One case of so many runs. Default 1. */
  readonly step?: number;
}

/**
 * What a version is new to, and no more: all that stands on the port on Memory, whole on the oldest, for what a version lacks; the
 * suite of the port where a driver is not the one of another version. LMDB brings a binary for each of the first two, and one for all
 * after them; SQLite is better-sqlite3 on the first and Node's own on the others; the driver of Redis is plain JavaScript.
 */
const runs: Readonly<Record<string, readonly Part[]>> = {
  sqlite: [{ version: oldest }, { version: second }, { version: newest, step: 4 }],
  lmdb: [{ version: oldest }, { version: second, step: 4 }],
  memory: [{ version: oldest }, { version: second, step: 4 }, { version: newest, step: 4 }],
  redis: [{ version: oldest, step: 4 }],
};

const missing = findServer("redis") ? false : "there is no redis-server";

describe("the published conformance suites", () => {
  let consumer: Consumer;
  let server: RedisServer | undefined;
  before(async () => {
    consumer = await createConsumer({ optional: true, packages: ["redis@6"] });
    consumer.write("suites.mjs", program);
    // Where Node has no driver of its own; as it was built here, for a build takes a compiler.
    for (const name of ["better-sqlite3", "bindings", "file-uri-to-path"]) consumer.add(name);
    if (missing === false) server = await startRedis({ kind: "redis", appendonly: "everysec" });
  });
  after(async () => {
    consumer.remove();
    await server?.stop();
  });

  async function passes({ version, step = 1 }: Part, subject: string): Promise<void> {
    const suites = subject === "memory" ? [] : ["portCases"];
    // Many cases of several processes at a time: longer leases than alone, so that a busy machine does not end them.
    const args = ["suites.mjs", subject, server?.url ?? "", `${Math.max(1_000, realUnit)}`, `${step}`, ...suites];
    const node = await nodeBinary(version);
    const printed = await succeed(node, args, { cwd: consumer.folder, timeoutMs: 550_000 });
    const { ran, failed } = JSON.parse(printed) as { ran: Record<string, number>; failed: string[] };
    assert.deepEqual(failed, []);
    const least = suites.length > 0 ? suites : ["portCases", "stateCases", "lockCases", "cacheCases"];
    for (const suite of least) assert.ok((ran[suite] ?? 0) >= 10, `${suite}: ${ran[suite]} cases ran`);
  }

  async function hasSqlite(version: NodeVersion): Promise<boolean> {
    const look = 'process.getBuiltinModule("node:sqlite") ?? new (require("better-sqlite3"))(":memory:")';
    const looked = succeed(await nodeBinary(version), ["-e", look], { cwd: consumer.folder });
    return looked.then(
      () => true,
      () => false,
    );
  }

  // Side by side, for each waits for a clock most of the time.
  describe("hold", { concurrency: versions.length }, () => {
    for (const [subject, on] of Object.entries(runs)) {
      const skip = subject === "redis" && missing;
      for (const part of on) {
        const { version } = part;
        it(`on ${subject} with Node ${version}`, { skip }, async (t) => {
          if (subject === "sqlite" && !(await hasSqlite(version))) t.skip("better-sqlite3 was built for another Node");
          else await passes(part, subject);
        });
      }
    }
  });
});
