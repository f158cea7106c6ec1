import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { UnavailableError } from "../../src/base/errors.ts";
import { space } from "../../src/base/keys.ts";
import { executeWrite, Instance } from "../../src/client/index.ts";
import type { Backend, Group, Outcome, Session } from "../../src/port/index.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";

const never = new Promise<never>(() => undefined);
const key = { space: space("state", "test", "instance"), key: "k" };
const closed = { code: "UNAVAILABLE" };

/** An instance on a Memory server, with some of its session replaced. */
function stand(change: (session: Session) => Partial<Session> = () => ({})): { instance: Instance; time: VirtualTime } {
  const time = virtualTime();
  const backend = memoryBackend({ server: new MemoryServer({ time }) });
  const changed: Backend = {
    name: "changed",
    time,
    open: async () => backend.open(),
    close: async () => backend.close(),
    session() {
      const session = backend.session();
      const own: Session = {
        id: session.id,
        execute: async (groups, call) => session.execute(groups, call),
        page: async (query, call) => session.page(query, call),
        close: async () => session.close(),
      };
      return Object.assign(own, change(session));
    },
  };
  return { instance: new Instance(changed), time };
}

void test("a write whose reply is lost at once is looked after as one whose reply is lost later", async () => {
  const lost: Outcome = { ok: false, why: "failed", sent: true, error: new UnavailableError("the line broke") };
  let losses = 0;
  const { instance } = stand((session) => ({
    executeNow(group: Group) {
      const outcome = session.executeNow?.(group);
      return group.ops[0]?.op === "set" && losses-- > 0 ? lost : outcome;
    },
  }));
  for (const condition of [undefined, { absent: true }, { id: "1" }, { id: "2" }] as const) {
    losses = 1;
    const id = condition && "id" in condition ? String(Number(condition.id) + 1) : "1";
    if (condition && "absent" in condition)
      await instance.execute({ ops: [{ op: "delete", key }] }, instance.ownCall());
    const group: Group = { ops: [{ op: "set", key, id, value: "v", if: condition }] };
    const reply = await executeWrite(instance, group, instance.ownCall());
    assert.equal(reply.ok, true);
  }
});

void test("a call that opens the backend makes attempts until its deadline, but none again that failed at once", async () => {
  const { instance, time } = stand();
  const attempts: number[] = [];
  let lasts = 300;
  const fails = async (): Promise<never> => {
    attempts.push(time.monotonic());
    await new Promise<void>((resolve) => time.after(lasts, resolve));
    throw new UnavailableError(`attempt ${attempts.length}`);
  };
  const open = async (ms: number): Promise<string> => {
    attempts.length = 0;
    const call = { signal: undefined, deadline: time.monotonic() + ms };
    const opened = instance.opened(call).then(String, String);
    await time.advance(ms + 50);
    return opened;
  };
  Object.assign(instance.backend, { open: fails });
  assert.match(await open(250), /timed out/);
  assert.equal(await open(1_000), "UnavailableError: attempt 3");
  assert.equal(attempts.length, 4);
  lasts = 200;
  assert.equal(await open(900), "UnavailableError: attempt 1");
});

void test("a part that fails to close keeps neither the others nor the session from it", async () => {
  let sessionClosed = false;
  const { instance } = stand(() => ({ close: async () => void (sessionClosed = true) }));
  const ended: string[] = [];
  const fail = (): never => {
    throw new Error("a part's bug");
  };
  const errors: unknown[] = [];
  instance.events.on("error", ({ error }) => errors.push((error as Error).message));
  instance.register({ drain: fail, end: async () => void ended.push("a") });
  instance.register({ drain: async () => fail(), end: fail });
  instance.register({ end: async () => fail() });
  instance.register({ end: async () => void ended.push("d") });
  await instance.close(1_000);
  assert.deepEqual([ended, sessionClosed, errors.length], [["a", "d"], true, 4]);
  assert.throws(() => instance.execute({ ops: [{ op: "get", key }] }, instance.ownCall()), closed);
  await assert.rejects(instance.opened(instance.ownCall()), closed);
  await assert.rejects(instance.page({ space: key.space, prefix: "", limit: 1 }, instance.ownCall()), closed);
  await assert.rejects(
    instance.subscribe({ topic: "t" }, () => undefined),
    closed,
  );
  await instance.close(1_000);
});

void test("what hangs while an instance closes is waited for only so long", async () => {
  const { instance, time } = stand(() => ({ close: async () => never, execute: async () => never }));
  const began: string[] = [];
  instance.register({
    async drain() {
      began.push(`drain ${time.monotonic()}`);
      await never;
    },
    async end() {
      began.push(`end ${time.monotonic()}`);
      await never;
    },
  });
  const write = instance.execute({ ops: [{ op: "delete", key }] }, { signal: undefined, deadline: 100_000 });
  const lost = assert.rejects(write as Promise<unknown>, closed);
  const closing = instance.close(1_000);
  await time.advance(1_000);
  assert.throws(() => instance.assertTaking(), closed);
  instance.assertOpen();
  await time.advance("15s");
  await closing;
  assert.deepEqual(began, ["drain 0", "end 1000"]);
  assert.throws(() => instance.assertOpen(), closed);
  await time.advance("90s");
  await lost;
});

void test("a close that need not wait for functions does not", async () => {
  const { instance } = stand();
  let ended = false;
  instance.register({ drain: async () => never, end: async () => void (ended = true) });
  await instance.close(0);
  assert.equal(ended, true);
});

void test("a part that comes while the instance ends is ended too", async () => {
  const { instance } = stand();
  const ended: string[] = [];
  const late = { end: async () => void ended.push("late") };
  instance.register({
    async end() {
      instance.register(late);
    },
  });
  await instance.close(1_000);
  assert.deepEqual(ended, ["late"]);
  instance.register(late);
  assert.deepEqual(ended, ["late", "late"]);
});

void test("what a backend says by itself at the deadline comes first, and one that says nothing is not waited for", async () => {
  const own = new UnavailableError("no answer from there");
  let speaks = true;
  const { instance, time } = stand(() => ({
    page: async (_, { deadline }) =>
      new Promise((_resolve, reject) => {
        if (speaks) time.after(deadline - time.monotonic(), () => reject(own));
      }),
  }));
  const page = (): Promise<unknown> =>
    instance.page({ space: key.space, prefix: "", limit: 1 }, instance.call({ timeout: 500 }));
  const told = page();
  told.catch(() => undefined);
  await time.advance(600);
  await assert.rejects(told, own);
  speaks = false;
  const silent = page();
  silent.catch(() => undefined);
  await time.advance(520);
  await assert.rejects(silent, { code: "UNAVAILABLE", message: /timed out/ });
});
