import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { isOver, processTag } from "../../../src/base/process-tag.ts";
import { connect } from "../../../src/entries/index.ts";
import type { LockOperation, LockState, Outcome, Session } from "../../../src/port/index.ts";
import { type Child, lock, record, results, embedded, run } from "./support/processes.ts";

// Leases and claims here last for ten minutes: what is granted nonetheless was freed by a death.
const ttl = 600_000;
const wait = { claimMs: ttl };
type Acquire = Extract<LockOperation, { op: "acquire" }>;
const held: Acquire = { op: "acquire", lock: lock("l"), owner: "holder", mode: "exclusive", ttl, info: "" };
const linux = process.platform === "linux" ? false : "the proof is Linux's";

function grantOf(outcome: Outcome): number {
  assert.ok(outcome.ok, `not granted: ${JSON.stringify(outcome)}`);
  return (outcome.results[0] as { grant: number }).grant;
}

const refused = (outcome: Outcome): boolean => !outcome.ok && outcome.why === "held";

/** Kills them in one go. */
async function killAll(...children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.kill()));
}

/** Owners that were granted a lock, in order, and a wait for the next. */
async function grants(session: Session): Promise<{ readonly heard: string[]; until(count: number): Promise<void> }> {
  const heard: string[] = [];
  let wake: () => void = () => undefined;
  await session.signals?.subscribe({ grants: true }, (signal) => {
    if (signal.type === "granted") heard.push(signal.owner);
    wake();
  });
  return {
    heard,
    async until(count) {
      while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

embedded(
  "the lock of a killed process is had by whoever asks next, above its grant, and nothing shows it as held",
  async (scene) => {
    const child = await scene.child();
    const grant = grantOf(await child.execute(held));
    const session = await scene.session();
    const next = { ...held, owner: "next" };
    assert.ok(refused(await run(session, { ops: [next] })));
    await child.kill();
    const [state] = (await results(session, { op: "inspect", lock: lock("l") })) as [LockState];
    assert.deepEqual(state, { holders: [], waiting: 0 });
    assert.ok(grantOf(await run(session, { ops: [next] })) > grant);
    const late = { guards: [{ lock: lock("l"), owner: "holder", grant }], ops: [] };
    assert.deepEqual(await run(session, { ...late, ops: [{ op: "set", key: record("r"), id: "i", value: "late" }] }), {
      ok: false,
      why: "fenced",
      at: -1,
    });
  },
);

embedded(
  "who waits for a killed process is told at once, over several that were killed before it in the queue",
  async (scene) => {
    const session = await scene.session();
    const { heard, until } = await grants(session);
    const children = await Promise.all([scene.child(), scene.child(), scene.child()]);
    const [first, second, third] = children;
    assert.ok((await first.execute(held)).ok);
    assert.ok(refused(await second.execute({ ...held, owner: "second", wait })));
    assert.ok(refused(await third.execute({ ...held, owner: "third", wait })));
    assert.ok(refused(await run(session, { ops: [{ ...held, owner: "live", wait }] })));
    await killAll(...children);
    await until(1);
    assert.deepEqual(heard, ["live"]);
  },
);

embedded("places of a semaphore and readers of a lock that were killed let the next ones in", async (scene) => {
  const session = await scene.session();
  const { heard, until } = await grants(session);
  const [one, other] = await Promise.all([scene.child(), scene.child()]);
  const place: Acquire = { ...held, lock: lock("s"), mode: "shared", limit: 2 };
  const reader: Acquire = { ...held, lock: lock("rw"), mode: "shared" };
  for (const child of [one, other]) {
    assert.ok((await child.execute({ ...place, owner: `place-${child.process.pid}` })).ok);
    assert.ok((await child.execute({ ...reader, owner: `reader-${child.process.pid}` })).ok);
  }
  assert.ok(refused(await run(session, { ops: [{ ...place, owner: "place", wait }] })));
  assert.ok(refused(await run(session, { ops: [{ ...reader, mode: "exclusive", owner: "writer", wait }] })));
  await one.kill();
  await until(1);
  assert.deepEqual(heard, ["place"]);
  await other.kill();
  await until(2);
  assert.deepEqual(heard, ["place", "writer"]);
});

embedded("a killed writer that waited for readers no longer keeps the readers behind it out", async (scene) => {
  const session = await scene.session();
  const { heard, until } = await grants(session);
  const reader: Acquire = { ...held, mode: "shared", owner: "reader" };
  assert.ok((await run(session, { ops: [reader] })).ok);
  const child = await scene.child();
  assert.ok(refused(await child.execute({ ...held, owner: "writer", wait })));
  assert.ok(refused(await run(session, { ops: [{ ...reader, owner: "behind", wait }] })));
  await child.kill();
  await until(1);
  assert.deepEqual(heard, ["behind"]);
});

embedded(
  "whatever a killed process held by the features of a lock is had by those who wait for it",
  async (scene, t) => {
    const child = fork(path.join(import.meta.dirname, "support", "occupied.ts"), [scene.url], { execArgv: [] });
    t.after(() => child.kill("SIGKILL"));
    await once(child, "message");
    const hf = await connect(scene.url);
    t.after(() => hf.close());
    const work = hf.lock("work");
    const waits = { ttl: "10m", wait: "10m" } as const;
    let attempt = 0;
    const next = Promise.all([
      work.acquire("exclusive", waits).then((lease) => lease.release()),
      work.semaphore("places", { permits: 1 }).run(() => undefined, waits),
      work.readWrite("rates").read.run(() => undefined, waits),
      work.elect("leader", () => "elected", { ttl: "10m" }),
      work.runOnce("run", (context) => (attempt = context.attempt), waits),
    ]);
    assert.equal(await work.tryAcquire("exclusive"), undefined);
    child.kill("SIGKILL");
    assert.equal((await next)[3], "elected");
    assert.equal(attempt, 2, "the run of the dead process had begun");
  },
);

embedded(
  "a process that is stopped, or that nobody can reach, keeps its lock; once it is killed, whoever waits is told",
  async (scene) => {
    const child = await scene.child();
    assert.ok((await child.execute(held)).ok);
    const sockets = scene.kind.sockets(scene.folder);
    for (const socket of readdirSync(sockets)) rmSync(path.join(sockets, socket));
    const session = await scene.session();
    const { heard, until } = await grants(session);
    child.process.kill("SIGSTOP");
    const waiting: Acquire = { ...held, owner: "live", wait };
    assert.ok(refused(await run(session, { ops: [waiting] })));
    for (let i = 0; i < 200; i++) {
      await results(session, { op: "set", key: record("other"), id: `${i}`, value: "v" });
      assert.ok(refused(await run(session, { ops: [waiting] })));
    }
    assert.deepEqual(heard, []);
    await child.kill();
    await until(1);
    assert.deepEqual(heard, ["live"]);
  },
);

embedded(
  "a killed process that its parent has not waited for is no more",
  async (scene) => {
    const sleeper = ["sh", "-c", '"$@" & echo; exec sleep 600', "sh"];
    const child = await scene.child(...sleeper);
    assert.ok((await child.execute(held)).ok);
    const pid = (await child.ask({ do: "pid" })) as number;
    assert.notEqual(pid, child.process.pid);
    const session = await scene.session();
    const { until } = await grants(session);
    assert.ok(refused(await run(session, { ops: [{ ...held, owner: "live", wait }] })));
    process.kill(pid, "SIGKILL");
    await until(1);
    process.kill(pid, 0); // its number is still taken
  },
  { skip: linux },
);

embedded(
  "a number says nothing where another process has it, or in another space of numbers",
  async (scene) => {
    const child = await scene.child();
    const [, start, space, clock] = processTag().split("-") as [string, string, string, string];
    const pid = (child.process.pid as number).toString(36);
    assert.equal(isOver([pid, start, space, clock].join("-")), true, "it did not start then");
    assert.equal(isOver([pid, start, space, "1"].join("-")), false, "by another clock nobody knows when it started");
    await child.kill();
    assert.equal(isOver([pid, start, space, "1"].join("-")), true);
    assert.equal(isOver([pid, start, "1", clock].join("-")), false, "the same number may be a live process's there");
    assert.equal(isOver(processTag()), false);
  },
  { skip: linux },
);
