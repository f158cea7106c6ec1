import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred, type Deferred } from "../../src/base/async.ts";
import { isHoldfastError, UnsupportedError } from "../../src/base/errors.ts";
import { space } from "../../src/base/keys.ts";
import type { Call } from "../../src/client/calls.ts";
import { Coalescer } from "../../src/client/coalescer.ts";
import { asItIs, type Reader } from "../../src/client/requests.ts";
import type { ExecuteCall, Group, Operation, Outcome, Session } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

const records = space("state", "test", "coalescer");
const get = (key: string): Group => ({ ops: [{ op: "get", key: { space: records, key } }] });
const set = (key: string, value = "v"): Group => ({
  ops: [{ op: "set", key: { space: records, key }, id: "id", value }],
});
const keys = (groups: readonly Group[]) =>
  groups.map(({ ops }) => ops.map((op: Operation) => ("key" in op ? op.key.key : "")).join("+"));

interface Batch {
  readonly groups: readonly Group[];
  readonly call: ExecuteCall;
  readonly reply: Deferred<readonly Outcome[]>;
}

/** A session whose replies the test gives, so that what happens in between can be seen. */
function harness() {
  const batches: Batch[] = [];
  const time = virtualTime();
  const session: Session = {
    id: "session",
    execute(groups, call) {
      const reply = deferred<readonly Outcome[]>();
      batches.push({ groups, call, reply });
      return reply.promise;
    },
    page: () => Promise.reject(new UnsupportedError("no pages here")),
    close: () => Promise.resolve(),
  };
  const whole = new Coalescer(session, time, "test");
  const coalescer = {
    execute: (group: Group, call: Call, reader: Reader<unknown> = asItIs) => whole.execute(group, call, reader),
    idle: () => whole.idle(),
  };
  const call = (signal?: AbortSignal, ms = 1_000) => ({ signal, deadline: time.monotonic() + ms });
  return { batches, coalescer, call, time };
}

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));
const allOk = (batch: Batch) => {
  batch.groups.forEach((_, i) => batch.call.claim(i));
  batch.reply.resolve(batch.groups.map(({ ops }) => ({ ok: true, results: ops.map(() => undefined) })));
};
const batchAt = (batches: Batch[], i: number) => batches[i] as Batch;

void test("calls of a tick, also of promise callbacks in it, go as one batch", async () => {
  const { batches, coalescer, call } = harness();
  const replies = [coalescer.execute(get("a"), call()), coalescer.execute(set("b"), call())];
  const later = Promise.resolve()
    .then(() => undefined)
    .then(() => coalescer.execute(get("c"), call()));
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => keys(groups)),
    [["a", "b", "c"]],
  );
  allOk(batchAt(batches, 0));
  await Promise.all([...replies, later]);
});

void test("a batch holds at most 256 operations and 1 MiB", async () => {
  const { batches, coalescer, call } = harness();
  const replies = Array.from({ length: 600 }, (_, i) => coalescer.execute(get(`k${i}`), call()));
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => groups.length),
    [256, 256, 88],
  );
  batches.splice(0).forEach(allOk);
  const large = Array.from({ length: 5 }, (_, i) => coalescer.execute(set(`l${i}`, "x".repeat(400_000)), call()));
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => groups.length),
    [2, 2, 1],
  );
  batches.splice(0).forEach(allOk);
  const wide = Array.from({ length: 5 }, (_, i) => coalescer.execute(set(`w${i}`, "\u6f22".repeat(150_000)), call()));
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => groups.length),
    [2, 2, 1],
  );
  batches.splice(0).forEach(allOk);
  await Promise.all([...replies, ...large, ...wide]);
});

void test("a large reply is told in parts, and what the first ask for next is sent before the last are told", async () => {
  const { batches, coalescer, call } = harness();
  const told: number[] = [];
  const first = Array.from({ length: 100 }, async (_, i) => {
    await coalescer.execute(get(`k${i}`), call());
    told.push(i);
    return i === 0 ? coalescer.execute(get("next"), call()) : undefined;
  });
  await turnOfTheLoop();
  allOk(batchAt(batches, 0));
  while (batches.length === 1) await turnOfTheLoop();
  assert.ok(told.length > 0 && told.length < 100, `${told.length} were told`);
  allOk(batchAt(batches, 1));
  await Promise.all(first);
  assert.deepEqual(
    told,
    Array.from({ length: 100 }, (_, i) => i),
  );
  await coalescer.idle();
});

void test("a key is written by one group at a time, and a read waits for the write before it", async () => {
  const { batches, coalescer, call } = harness();
  const replies = [
    coalescer.execute(set("a"), call()),
    coalescer.execute(get("a"), call()),
    coalescer.execute(set("a"), call()),
    coalescer.execute(get("b"), call()),
  ];
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => keys(groups)),
    [["a", "b"]],
  );
  allOk(batchAt(batches, 0));
  await turnOfTheLoop();
  assert.deepEqual(keys(batchAt(batches, 1).groups), ["a"]);
  assert.equal(batchAt(batches, 1).groups[0]?.ops[0]?.op, "get");
  allOk(batchAt(batches, 1));
  await turnOfTheLoop();
  assert.equal(batchAt(batches, 2).groups[0]?.ops[0]?.op, "set");
  allOk(batchAt(batches, 2));
  await Promise.all(replies as Promise<unknown>[]);
});

void test("aborted before it is sent: the signal's reason, and those behind it do not wait", async () => {
  const { batches, coalescer, call } = harness();
  const controller = new AbortController();
  const aborted = coalescer.execute(set("a"), call(controller.signal)) as Promise<unknown>;
  const behind = coalescer.execute(get("a"), call());
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => groups[0]?.ops[0]?.op),
    ["get"],
  );
  batches.forEach(allOk);
  await behind;
});

void test("aborted on its way to the store: never claimed", async () => {
  const { batches, coalescer, call } = harness();
  const controller = new AbortController();
  const aborted = coalescer.execute(set("a"), call(controller.signal)) as Promise<unknown>;
  const behind = coalescer.execute(get("a"), call());
  await turnOfTheLoop();
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  assert.equal(batchAt(batches, 0).call.claim(0), false);
  batchAt(batches, 0).reply.resolve([{ ok: false, why: "failed", sent: false, error: new Error("not sent") }]);
  await turnOfTheLoop();
  allOk(batchAt(batches, 1));
  await behind;
});

void test("aborted or timed out after it was sent: a write is indeterminate, a read is not, and the key stays taken until the reply", async () => {
  const { batches, coalescer, call, time } = harness();
  const controller = new AbortController();
  const reason = new Error("enough");
  const write = coalescer.execute(set("a"), call(controller.signal)) as Promise<unknown>;
  const read = coalescer.execute(get("b"), call(controller.signal)) as Promise<unknown>;
  const slow = coalescer.execute(set("c"), call(undefined, 200)) as Promise<unknown>;
  const slowRead = coalescer.execute(get("d"), call(undefined, 200)) as Promise<unknown>;
  await turnOfTheLoop();
  const batch = batchAt(batches, 0);
  batch.groups.forEach((_, i) => assert.equal(batch.call.claim(i), true));
  controller.abort(reason);
  await assert.rejects(write, (error: Error) => isHoldfastError(error, "INDETERMINATE") && error.cause === reason);
  await assert.rejects(read, reason);
  const rejected = Promise.all([
    assert.rejects(slow, (error) => isHoldfastError(error, "INDETERMINATE")),
    assert.rejects(slowRead, (error) => isHoldfastError(error, "UNAVAILABLE")),
  ]);
  await time.advance(300);
  await rejected;
  const behind = coalescer.execute(get("a"), call());
  await turnOfTheLoop();
  assert.equal(batches.length, 1, "the write may still be on its way");
  batch.reply.resolve(batch.groups.map(() => ({ ok: true, results: [undefined] })));
  await turnOfTheLoop();
  allOk(batchAt(batches, 1));
  await behind;
  await coalescer.idle();
});

void test("a failure of one is not its neighbour's; what it was says whether it happened", async () => {
  const { batches, coalescer, call } = harness();
  const refused = coalescer.execute(set("a"), call()) as Promise<unknown>;
  const unsent = coalescer.execute(set("b"), call()) as Promise<unknown>;
  const lost = coalescer.execute(set("c"), call()) as Promise<unknown>;
  const fine = coalescer.execute(set("d"), call()) as Promise<unknown>;
  await turnOfTheLoop();
  const { reply, call: sent, groups } = batchAt(batches, 0);
  groups.forEach((_, i) => sent.claim(i));
  reply.resolve([
    { ok: false, why: "failed", sent: false, error: new UnsupportedError("too large") },
    { ok: false, why: "failed", sent: false, error: new Error("no connection") },
    { ok: false, why: "failed", sent: true, error: new Error("connection lost") },
    { ok: true, results: [undefined] },
  ]);
  await assert.rejects(refused, (error) => isHoldfastError(error, "UNSUPPORTED"));
  await assert.rejects(unsent, (error) => isHoldfastError(error, "UNAVAILABLE"));
  await assert.rejects(lost, (error) => isHoldfastError(error, "INDETERMINATE"));
  await fine;
});

void test("equal reads that are not yet sent are one, each with its own deadline and signal", async () => {
  const { batches, coalescer, call, time } = harness();
  const [first, second] = [new AbortController(), new AbortController()];
  const aborted = coalescer.execute(get("a"), call(first.signal)) as Promise<unknown>;
  const fine = coalescer.execute(get("a"), call());
  const late = coalescer.execute(get("a"), call(undefined, 100)) as Promise<unknown>;
  const hasty = coalescer.execute(get("a"), call(second.signal)) as Promise<unknown>;
  const stamped = coalescer.execute({ ops: [{ op: "get", key: { space: records, key: "a" }, stamped: true }] }, call());
  first.abort(new Error("before"));
  await assert.rejects(aborted, /before/);
  await turnOfTheLoop();
  assert.deepEqual(keys(batchAt(batches, 0).groups), ["a", "a"]);
  assert.ok(batchAt(batches, 0).call.deadline >= 1_000);
  assert.deepEqual([batchAt(batches, 0).call.claim(0), batchAt(batches, 0).call.claim(1)], [true, true]);
  second.abort(new Error("after"));
  await assert.rejects(hasty, /after/);
  const tooLate = assert.rejects(late, (error) => isHoldfastError(error, "UNAVAILABLE"));
  await time.advance(200);
  await tooLate;
  const next = coalescer.execute(get("a"), call());
  await turnOfTheLoop();
  assert.deepEqual(keys(batchAt(batches, 1).groups), ["a"], "what was sent is joined no more");
  batches.forEach(allOk);
  assert.deepEqual(
    await Promise.all([fine, stamped, next]),
    Array.from({ length: 3 }, () => ({ ok: true, results: [undefined] })),
  );
  await coalescer.idle();
});

void test("a read joins none that a write has lined up behind", async () => {
  const { batches, coalescer, call } = harness();
  const replies = [get("a"), set("b"), get("b"), get("b"), set("a"), get("a"), set("b"), get("b")].map(
    (group) => coalescer.execute(group, call()) as Promise<unknown>,
  );
  const sent: string[][] = [];
  for (let batch = batches.shift(); batch || sent.length < 4; batch = batches.shift()) {
    if (batch) sent.push(batch.groups.map(({ ops }) => `${ops[0]?.op} ${keys([{ ops }])[0]}`));
    if (batch) allOk(batch);
    await turnOfTheLoop();
  }
  assert.deepEqual(sent, [["get a", "set b"], ["set a", "get b"], ["get a", "set b"], ["get b"]]);
  await Promise.all(replies);
});

void test("a read of less or of more than the record is joined with no other", async () => {
  const { batches, coalescer, call } = harness();
  const key = { space: records, key: "a" };
  const kinds: readonly Operation[] = [
    { op: "get", key },
    { op: "get", key, keyOnly: true },
    { op: "get", key, stamped: true },
    { op: "get", key, stamped: "show" },
    { op: "get", key, stamped: true, keyOnly: true },
  ];
  const replies = [...kinds, ...kinds].map((op) => coalescer.execute({ ops: [op] }, call()));
  await turnOfTheLoop();
  const [{ groups }] = batches as [Batch];
  const sent = kinds.map((kind) => groups.filter(({ ops }) => ops[0] === kind).length);
  assert.deepEqual(sent.slice(1, 2).concat(sent.slice(3)), [2, 2, 2], "each by itself");
  allOk(batchAt(batches, 0));
  await Promise.all(replies);
});

void test("equal reads that all give up while they wait leave nothing behind", async () => {
  const { batches, coalescer, call } = harness();
  const controller = new AbortController();
  const write = coalescer.execute(set("a"), call());
  await turnOfTheLoop();
  const reads = [1, 2].map(() => coalescer.execute(get("a"), call(controller.signal)) as Promise<unknown>);
  controller.abort(new Error("enough"));
  await Promise.all(reads.map((read) => assert.rejects(read, /enough/)));
  const again = coalescer.execute(get("a"), call());
  allOk(batchAt(batches, 0));
  await turnOfTheLoop();
  assert.deepEqual(
    batches.map(({ groups }) => keys(groups)),
    [["a"], ["a"]],
  );
  allOk(batchAt(batches, 1));
  await Promise.all([write, again]);
  await coalescer.idle();
});

void test("a signal gets one listener, however many calls it may end", async () => {
  const { batches, coalescer, call } = harness();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  let added = 0;
  const counted = Object.assign(Object.create(null) as AbortSignal, {
    aborted: false,
    throwIfAborted: () => signal.throwIfAborted(),
    addEventListener: (_: string, listener: unknown) => (added++, void listeners.add(listener)),
    removeEventListener: (_: string, listener: unknown) => void listeners.delete(listener),
  });
  const replies = Array.from(
    { length: 100 },
    (_, i) => coalescer.execute(set(`k${i}`), call(counted)) as Promise<unknown>,
  );
  await turnOfTheLoop();
  batches.forEach(allOk);
  await Promise.all(replies);
  assert.deepEqual([added, listeners.size], [1, 0]);
});

void test("what a session tells early is told early, and once", async () => {
  const { batches, coalescer, call } = harness();
  const early = coalescer.execute(set("a"), call()) as Promise<unknown>;
  const late = coalescer.execute(set("b"), call()) as Promise<unknown>;
  await turnOfTheLoop();
  const batch = batchAt(batches, 0);
  batch.groups.forEach((_, i) => batch.call.claim(i));
  batch.call.settled?.(0, { ok: true, results: [undefined] });
  assert.deepEqual(await early, { ok: true, results: [undefined] });
  const next = coalescer.execute(get("a"), call()) as Promise<unknown>;
  await turnOfTheLoop();
  assert.deepEqual(keys(batchAt(batches, 1).groups), ["a"], "the key is free for the next call");
  batches.forEach(allOk);
  await Promise.all([late, next]);
  await coalescer.idle();
});

void test("a call whose time ends when its outcome is known, but not yet told, is told it", async () => {
  const { batches, coalescer, call, time } = harness();
  const replies = Array.from({ length: 200 }, (_, i) => coalescer.execute(set(`k${i}`), call()) as Promise<unknown>);
  await turnOfTheLoop();
  const batch = batchAt(batches, 0);
  batch.groups.forEach((_, i) => {
    batch.call.claim(i);
    batch.call.settled?.(i, { ok: true, results: [undefined] });
  });
  const advanced = time.advance(2_000);
  await Promise.all(replies);
  await advanced;
  batches.forEach(allOk);
  await coalescer.idle();
});

void test("a session that gives no outcome for a group loses no caller", async () => {
  const { batches, coalescer, call } = harness();
  const sent = coalescer.execute(set("a"), call()) as Promise<unknown>;
  const unsent = coalescer.execute(set("b"), call()) as Promise<unknown>;
  await turnOfTheLoop();
  batchAt(batches, 0).call.claim(0);
  batchAt(batches, 0).reply.resolve([]);
  await assert.rejects(sent, (error) => isHoldfastError(error, "INDETERMINATE"));
  await assert.rejects(unsent, (error) => isHoldfastError(error, "UNAVAILABLE"));
  await coalescer.idle();
});

void test("a session that rejects against the port's word loses no caller", async () => {
  const { batches, coalescer, call } = harness();
  const reply = coalescer.execute(set("a"), call()) as Promise<unknown>;
  await turnOfTheLoop();
  batchAt(batches, 0).call.claim(0);
  batchAt(batches, 0).reply.reject(new Error("bug"));
  await assert.rejects(reply, (error) => isHoldfastError(error, "INDETERMINATE"));
  await coalescer.idle();
});

void test("a reader makes the result of a reply, what it throws rejects, and it may know better than the error", async () => {
  const { batches, coalescer, call, time } = harness();
  const refused = new Error("the reader does not like it");
  const reader = (read: () => unknown): Reader<unknown> => ({
    read,
    missed: (error) => Promise.resolve(isHoldfastError(error, "INDETERMINATE") ? "found out" : "asked in vain"),
  });
  const fine = coalescer.execute(
    set("a"),
    call(),
    reader(() => "read"),
  );
  const thrown = coalescer.execute(
    set("b"),
    call(),
    reader(() => {
      throw refused;
    }),
  ) as Promise<unknown>;
  const lost = coalescer.execute(
    set("c"),
    call(undefined, 100),
    reader(() => "read"),
  );
  const unsent = coalescer.execute(
    set("c"),
    call(undefined, 100),
    reader(() => "read"),
  );
  await turnOfTheLoop();
  const { call: batchCall } = batchAt(batches, 0);
  for (const i of [0, 1, 2]) assert.equal(batchCall.claim(i), true);
  const applied: Outcome = { ok: true, results: [undefined] };
  batchCall.settled?.(0, applied);
  batchCall.settled?.(1, applied);
  assert.equal(await fine, "read");
  await assert.rejects(thrown, (error) => error === refused);
  await time.advance(200);
  assert.equal(await lost, "found out");
  assert.equal(await unsent, "asked in vain");
});
