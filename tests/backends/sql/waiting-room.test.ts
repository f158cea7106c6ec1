import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import { postgresBackend } from "../../../src/backends/postgres/index.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";
import type { Backend, Group, Outcome } from "../../../src/port/index.ts";
import { record } from "../../../src/testing/port/client.ts";
import { freePorts } from "../../support/servers/ports.ts";

const most = 5;
const makes: Readonly<Record<string, (port: number) => Backend>> = {
  postgres: (port) => postgresBackend({ url: `postgres://postgres@127.0.0.1:${port}/x`, maxWaiting: most }),
  mysql: (port) => mysqlBackend({ url: `mysql://root@127.0.0.1:${port}/x`, maxWaiting: most }),
};

for (const [name, make] of Object.entries(makes)) {
  describe(`callers of ${name} while nobody can be reached`, () => {
    it("wait until their deadline, so many at the most; the others are told at once", async (t) => {
      const [port = 0] = await freePorts(1);
      const backend = make(port);
      t.after(async () => backend.close());
      const session = backend.session();
      const groups = Array.from({ length: 8 }, (_, i): Group => ({ ops: [{ op: "get", key: record(`${i}`) }] }));
      const early: Outcome[] = [];
      const begun = backend.time.monotonic();
      const call = {
        deadline: begun + 500,
        claim: () => true,
        settled: (_: number, told: Outcome) => early.push(told),
      };
      const outcomes = session.execute(groups, call);
      assert.equal(early.length, groups.length - most, "before anything is awaited");
      for (const outcome of early) {
        assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
        assert.match(outcome.error.message, /5 calls wait for one already/);
      }
      for (const outcome of await outcomes) {
        assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
        assert.ok(isHoldfastError(outcome.error, "UNAVAILABLE"));
      }
      assert.ok(backend.time.monotonic() - begun >= 499);
      // There is room for others then.
      const [last] = await session.execute(groups.slice(0, 1), {
        deadline: backend.time.monotonic(),
        claim: () => true,
      });
      assert.ok(last && !last.ok && last.why === "failed");
      assert.doesNotMatch(last.error.message, /calls wait/);
    });
  });
}
