import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect } from "../../src/entries/index.ts";
import { lacks } from "../support/redis/kinds.ts";
import { shared } from "../support/redis/shared.ts";
import { lacks as lacksSql } from "../support/sql/kinds.ts";
import { sharedServer } from "../support/sql/shared.ts";
import type { Done, Order } from "./programs/contender.ts";

const file = path.join(import.meta.dirname, "programs", "contender.ts");
const limit = { timeout: 120_000 };

/** Starts processes that contend on a store, ready to be told what to do. */
async function contenders(t: TestContext, url: string, count: number): Promise<readonly ChildProcess[]> {
  const children = Array.from({ length: count }, () => fork(file, [url]));
  t.after(() => children.forEach((child) => child.kill("SIGKILL")));
  await Promise.all(children.map(answer));
  return children;
}

/** The next message of a process. Rejects when it ends before. */
async function answer(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the process ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
}

async function tell(child: ChildProcess, order: Order): Promise<unknown> {
  const answered = answer(child);
  child.send(order);
  return answered;
}

const stores = {
  "file:": {
    skip: false,
    async url(t: TestContext) {
      const folder = await mkdtemp(path.join(tmpdir(), "holdfast-crowd-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      return `file:${folder}`;
    },
  },
  redis: { skip: lacks("redis"), url: async () => ownPart((await shared.single("redis")).url) },
  "a cluster of redis": { skip: lacks("redis"), url: async () => ownPart((await shared.cluster("redis")).url) },
  postgres15: { skip: lacksSql("postgres15"), url: async () => ownPart((await sharedServer("postgres15")).url) },
  mariadb: { skip: lacksSql("mariadb"), url: async () => ownPart((await sharedServer("mariadb")).url) },
};

/** Of a server that the tests of this file share. */
function ownPart(url: string): string {
  return `${url}?prefix=crowd_${randomBytes(6).toString("hex")}`;
}

for (const [name, { skip, url: urlOf }] of Object.entries(stores)) {
  void describe(`processes that want the same on ${name}`, { skip }, () => {
    void it("upsert one key, each as often as it is told, and none fails", limit, async (t) => {
      const url = await urlOf(t);
      const children = await contenders(t, url, 4);
      const told = await Promise.all(children.map(async (child) => tell(child, { does: "upserts", count: 500 })));
      assert.deepEqual(
        told,
        children.map((): Done => ({ done: 500, failed: [] })),
      );
      const hf = await connect(url, { service: "crowd" });
      t.after(() => hf.close());
      assert.equal(await hf.state<number>("numbers").load("hot"), 2_000);
    });

    void it("transfer between few accounts, and none fails", limit, async (t) => {
      const url = await urlOf(t);
      const children = await contenders(t, url, 2);
      const order = { does: "transfers", count: 300, width: 25 } as const;
      const told = await Promise.all(children.map(async (child) => tell(child, order)));
      assert.deepEqual(
        told,
        children.map((): Done => ({ done: 300, failed: [] })),
      );
      const hf = await connect(url, { service: "crowd" });
      t.after(() => hf.close());
      const numbers = hf.state<number>("numbers");
      const left = await numbers.loadMany(Array.from({ length: 10 }, (_, i) => `{t}${i}`));
      assert.equal(
        [...left.values()].reduce((sum, n) => sum + n, 0),
        0,
      );
      assert.equal(await numbers.load("{t}count"), 600);
    });

    void it("go on when the one whose turn it is dies", limit, async (t) => {
      const url = await urlOf(t);
      const [dying, living] = (await contenders(t, url, 2)) as [ChildProcess, ChildProcess];
      assert.equal(await tell(dying, { does: "hang" }), "hangs");
      const going = tell(living, { does: "transfers", count: 100, width: 25 });
      dying.kill("SIGKILL");
      assert.deepEqual(await going, { done: 100, failed: [] });
    });
  });
}
