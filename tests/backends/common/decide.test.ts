import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decide } from "../../../src/backends/common/decide.ts";
import { keyId, space, type Key } from "../../../src/base/keys.ts";
import type { Group, LockState, Operation, Outcome, Result, StoredRecord } from "../../../src/port/index.ts";
import { MapView } from "./support/map-view.ts";

const key = (name: string): Key => ({ space: space("state", "s", "records"), key: name });
const lock = (name: string): Key => ({ space: space("lock", "s", "locks"), key: name });

const set = (name: string, id: string, more: object = {}): Operation => ({
  op: "set",
  key: key(name),
  id,
  value: `value of ${id}`,
  ...more,
});
const get = (name: string, more: object = {}): Operation => ({ op: "get", key: key(name), ...more });
const remove = (name: string, more: object = {}): Operation => ({ op: "delete", key: key(name), ...more });
const touch = (name: string, more: object = {}): Operation => ({ op: "touch", key: key(name), ...more });
const floor = (name: string, grant: number, n = 0): Operation => ({
  op: "floor",
  key: key(name),
  grant,
  n,
  keepMs: 50,
});
const acquire = (owner: string, more: object = {}): Operation => ({
  op: "acquire",
  lock: lock("l"),
  owner,
  mode: "exclusive",
  ttl: 100,
  info: "",
  ...more,
});

function world() {
  const view = new MapView();
  const group = (asked: Group, session = "session"): Outcome => decide(view, asked, session);
  const run = (...ops: Operation[]): readonly Result[] => {
    const outcome = group({ ops });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.results;
  };
  const grant = (owner: string, more?: object): number => (run(acquire(owner, more))[0] as { grant: number }).grant;
  const state = (): LockState => run({ op: "inspect", lock: lock("l") })[0] as LockState;
  const fails = (why: string, at: number, asked: Group): Outcome => {
    const before = [...view.writes];
    const outcome = group(asked);
    assert.ok(!outcome.ok && outcome.why === why && "at" in outcome && outcome.at === at, JSON.stringify(outcome));
    assert.deepEqual(view.writes, before, "it changed nothing");
    return outcome;
  };
  return { view, group, run, grant, state, fails };
}

describe("decide", () => {
  it("gives a result for each operation, and reads see the state before the group", () => {
    const { run } = world();
    run(set("a", "1"));
    const [read, , , gone] = run(get("a"), { op: "check", key: key("a"), if: { id: "1" } }, set("a", "2"), remove("b"));
    assert.equal((read as StoredRecord).id, "1");
    assert.equal(gone, false);
    assert.equal((run(get("a"))[0] as StoredRecord).id, "2");
  });

  it("checks everything before it changes anything", () => {
    const { view, run, fails } = world();
    run(set("a", "1"));
    fails("conflict", 2, { ops: [set("b", "1"), floor("b", 5), set("a", "2", { if: { absent: true } })] });
    fails("conflict", 1, { ops: [remove("a"), touch("b", { if: { id: "9" } })] });
    run(floor("a", 7, 3));
    fails("fenced", 1, { ops: [set("b", "1"), floor("a", 7, 2)] });
    fails("fenced", -2, {
      guards: [{ lock: lock("free"), owner: "o", grant: 1 }].flatMap((guard) => {
        const held = run({ ...acquire("o"), lock: lock("held") } as Operation)[0] as { grant: number };
        return [{ ...guard, lock: lock("held"), grant: held.grant }, guard];
      }),
      ops: [set("b", "1")],
    });
    assert.equal(view.rows.has(keyId(key("b"))), false);
  });

  it("says with a conflict what is there, and takes an expired record for absent", () => {
    const { view, run, fails } = world();
    run(set("a", "1", { ttl: 10 }));
    const refused = fails("conflict", 0, { ops: [set("a", "2", { if: { id: "0" } })] });
    assert.deepEqual("current" in refused && refused.current, {
      key: "a",
      id: "1",
      value: "value of 1",
      expiresAt: view.wall + 10,
    });
    view.wall += 10;
    assert.deepEqual(run(get("a"), remove("b"), touch("c")), [undefined, false, false]);
    run(set("a", "2", { if: { absent: true } }));
  });

  it("gives a record its end: from now, kept, exact or none", () => {
    const { view, run } = world();
    const end = () => view.rows.get(keyId(key("a")))?.end;
    run(set("a", "1", { ttl: 10 }));
    assert.equal(end(), view.wall + 10);
    run(set("a", "2", { ttl: "keep" }));
    assert.equal(end(), view.wall + 10);
    run(set("a", "3", { ttl: { at: 5 } }));
    assert.equal(end(), 5);
    assert.deepEqual(run(get("a")), [undefined], "it has expired");
    run(set("a", "4", { ttl: "keep" }));
    assert.equal(end(), Infinity, "there was nothing to keep");
    assert.deepEqual(run(touch("a", { ttl: 20, if: { id: "4" } })), [true]);
    assert.equal(end(), view.wall + 20);
    assert.deepEqual(run(touch("a")), [true]);
    assert.equal(end(), Infinity);
  });

  it("tells of a delete whether there was a record, and removes what has expired too", () => {
    const { view, run } = world();
    run(set("a", "1"), set("b", "1", { ttl: 1 }));
    view.wall += 1;
    assert.deepEqual(run(remove("a"), remove("b"), remove("c")), [true, false, false]);
    assert.equal(view.rows.size, 0);
  });

  it("looks at stamps where it is asked to, as they were before the group", () => {
    const { run } = world();
    const stamps = [{ key: key("tag"), id: "t1" }];
    run(set("tag", "t1"), set("a", "1", { stamps }), set("b", "1", { stamps }));
    const ops = [set("tag", "t2"), get("a", { stamped: true }), touch("b", { stamped: true })];
    const [, read, touched] = run(...ops);
    assert.deepEqual([(read as StoredRecord).id, touched], ["1", true]);
    assert.deepEqual(run(get("b"), get("b", { stamped: "show" }), touch("b", { stamped: true })).slice(1), [
      undefined,
      false,
    ]);
    assert.deepEqual(run(get("a", { stamped: true }), remove("b")), [undefined, true], "a plain one does not ask");
  });

  it("shows stamps and leaves values out", () => {
    const { run } = world();
    run(set("tag", "t1"), set("a", "1", { stamps: [{ key: key("tag"), id: "t1" }] }));
    const [shown, bare] = run(get("a", { stamped: "show", keyOnly: true }), get("a"));
    assert.deepEqual(shown, { key: "a", id: "1", value: "", stamps: [{ key: keyId(key("tag")), id: "t1" }] });
    assert.deepEqual(bare, { key: "a", id: "1", value: "value of 1" });
  });

  it("remembers the highest fence beside a record and its writes", () => {
    const { view, run, fails } = world();
    run(floor("a", 5, 1), set("a", "1"));
    run(remove("a"));
    fails("fenced", 0, { ops: [floor("a", 5, 0), set("a", "2")] });
    run(floor("a", 5, 1), floor("b", 1));
    view.now += 50;
    run(floor("a", 1));
  });

  it("grants, refuses, queues and passes on a lock", () => {
    const { view, group, grant, state, run } = world();
    const first = grant("a");
    assert.equal(grant("a"), first, "an owner that holds it has its ttl armed anew");
    const refused = group({ ops: [acquire("b")] });
    assert.ok(!refused.ok && refused.why === "held" && refused.ahead === 0);
    assert.equal(state().waiting, 0);
    group({ ops: [acquire("b", { wait: { claimMs: 30 } })] }, "other");
    assert.equal(state().waiting, 1);
    assert.deepEqual(run({ op: "release", lock: lock("l"), owner: "nobody" }), [false]);
    assert.deepEqual(run({ op: "release", lock: lock("l"), owner: "a", markMs: 5 }), [true]);
    assert.equal(view.granted[0]?.session, "other");
    const marked = group({ ops: [acquire("a")] });
    assert.ok(!marked.ok && marked.why === "fenced");
  });

  it("passes on what time ended, also for a group that fails", () => {
    const { view, group, grant, state } = world();
    grant("a");
    group({ ops: [acquire("b", { wait: { claimMs: 1_000 } })] });
    view.now += 100;
    const late = group({ ops: [acquire("c")] });
    assert.ok(!late.ok && late.why === "held");
    assert.deepEqual(
      state().holders.map(({ owner }) => owner),
      ["b"],
    );
    assert.equal(view.granted.length, 1);
  });

  it("extends and steals only what is held", () => {
    const { view, run, grant, state, fails } = world();
    assert.deepEqual(run({ op: "steal", lock: lock("l") }), [{ holders: [], waiting: 0 }]);
    assert.deepEqual(view.writes, [], "a lock that nobody has touched stays so");
    const shared = { mode: "shared" };
    const one = grant("a", shared);
    const two = grant("b", shared);
    run({ op: "steal", lock: lock("l"), owner: "c" });
    assert.equal(state().holders.length, 2);
    const [before] = run({ op: "steal", lock: lock("l"), owner: "a" }) as LockState[];
    assert.equal(before?.holders.length, 2);
    fails("fenced", 0, { ops: [{ op: "extend", lock: lock("l"), owner: "a", grant: one, ttl: 10 }] });
    assert.deepEqual(run({ op: "extend", lock: lock("l"), owner: "b", grant: two, ttl: 10, raise: two + 9 }), [
      { grant: two + 9 },
    ]);
    assert.ok(grant("c", shared) > two + 9);
  });

  it("leaves a claim alone that is nearly whole, where writes are dear", () => {
    const { view, group, grant } = world();
    view.renewsClaims = false;
    grant("a");
    const ask = (): number => {
      const before = view.writes.length;
      group({ ops: [acquire("b", { wait: { claimMs: 100 } })] });
      return view.writes.length - before;
    };
    assert.deepEqual([ask(), ask()], [1, 0]);
    view.now += 10;
    assert.deepEqual([ask(), ask()], [1, 0]);
  });

  it("may be run again on a fresh view", () => {
    const asked: Group = { ops: [acquire("a"), floor("x", 3), set("x", "1", { ttl: 9 })] };
    const [a, b] = [new MapView(), new MapView()];
    assert.deepEqual(decide(a, asked, "s"), decide(b, asked, "s"));
    assert.deepEqual(a, b);
  });
});
