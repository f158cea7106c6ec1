import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { space } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import { mysqlBackend } from "../../../src/backends/mysql/index.ts";
import type { Backend, LockOperation, LockState, Outcome, Session } from "../../../src/port/index.ts";
import { lacks } from "../../support/sql/kinds.ts";
import type { MysqlServer } from "../../support/sql/mysql.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";

const lock = { space: space("lock", "", "locks"), key: "k" };

for (const kind of ["mariadb", "mysql"] as const) {
  void describe(`who waits for a lock on ${kind}`, { skip: lacks(kind) }, () => {
    let server: MysqlServer;
    const backends: Backend[] = [];
    let holder: Session;
    let waiter: Session;
    before(async () => {
      server = (await sharedServer(kind)) as MysqlServer;
      const prefix = drawPrefix();
      [holder, waiter] = [0, 1].map(() => {
        const backend = mysqlBackend({ url: server.url, prefix, connectTimeout: "20s" });
        backends.push(backend);
        return backend.session();
      }) as [Session, Session];
    });
    after(async () => Promise.all(backends.map(async (backend) => backend.close())));

    async function run(session: Session, op: LockOperation): Promise<Outcome> {
      const call = { deadline: systemTime.monotonic() + 10_000, claim: () => true };
      const [outcome] = await session.execute([{ ops: [op] }], call);
      return outcome as Outcome;
    }
    async function ask(session: Session, owner: string, claimMs: number): Promise<Outcome> {
      return run(session, { op: "acquire", lock, owner, mode: "exclusive", ttl: 60_000, wait: { claimMs }, info: "" });
    }
    async function waiting(): Promise<number> {
      const outcome = await run(holder, { op: "inspect", lock });
      return outcome.ok ? (outcome.results[0] as LockState).waiting : -1;
    }
    async function commits(): Promise<number> {
      const [row] = await server.query("SHOW GLOBAL STATUS LIKE 'Com_commit'");
      return Number(row?.["Value"]);
    }

    void it("asks again without a write, keeps its place, and is granted the lock when it is free", async () => {
      assert.equal((await ask(holder, "a", 60_000)).ok, true);
      const first = await ask(waiter, "b", 60_000);
      assert.ok(!first.ok && first.why === "held" && first.ahead === 0 && first.state.waiting === 1);
      const since = await commits();
      for (let i = 0; i < 50; i++) {
        const again = await ask(waiter, "b", 60_000);
        assert.ok(!again.ok && again.why === "held" && again.ahead === 0 && again.state.holders[0]?.owner === "a");
      }
      // But for those of the sweep.
      assert.ok((await commits()) - since < 20);
      await run(holder, { op: "release", lock, owner: "a" });
      assert.equal((await ask(waiter, "b", 60_000)).ok, true);
      await run(waiter, { op: "release", lock, owner: "b" });
    });

    void it("renews its claim in time, and leaves when it does not ask any more", async () => {
      assert.equal((await ask(holder, "c", 1_000)).ok, true);
      const until = performance.now() + 2_500;
      while (performance.now() < until) {
        const outcome = await ask(waiter, "d", 1_000);
        assert.ok(!outcome.ok && outcome.why === "held" && outcome.ahead === 0);
        await pause(100);
      }
      assert.equal(await waiting(), 1);
      while ((await waiting()) > 0) assert.ok(performance.now() < until + 3_000);
      await run(holder, { op: "release", lock, owner: "c" });
    });

    void it("may be refused for good: a mark is seen by a look, too", async () => {
      assert.equal((await ask(holder, "e", 60_000)).ok, true);
      await ask(waiter, "f", 60_000);
      await ask(waiter, "f", 60_000);
      await run(holder, { op: "release", lock, owner: "f", markMs: 60_000 });
      assert.deepEqual(await ask(waiter, "f", 60_000), { ok: false, why: "fenced", at: 0 });
      await run(holder, { op: "release", lock, owner: "e" });
    });
  });
}
