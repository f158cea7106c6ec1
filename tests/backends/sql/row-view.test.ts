import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decide } from "../../../src/backends/common/decide.ts";
import type { LockRow, RecordRow } from "../../../src/backends/sql/dialect.ts";
import { needsRead, RowView } from "../../../src/backends/sql/row-view.ts";
import { stampsText } from "../../../src/backends/sql/stamps.ts";
import { CorruptValueError } from "../../../src/base/errors.ts";
import { keyId, space, type Key } from "../../../src/base/keys.ts";
import type { Granted, Group, Operation, Outcome } from "../../../src/port/index.ts";

const record = (key: string): Key => ({ space: space("cache", "", "records"), key });
const stamp: Key = { space: space("stamp", "", "records"), key: "tag" };
const lock: Key = { space: space("lock", "", "locks"), key: "k" };
const now = 1_800_000_000_000;
const hour = 3_600_000;

function row(key: string, more: Partial<RecordRow> = {}): RecordRow {
  const id = keyId(record(key));
  return {
    id,
    isEmpty: false,
    version: "v",
    value: key,
    end: Infinity,
    stamps: undefined,
    isCurrent: undefined,
    ...more,
  };
}

function viewOf(records: readonly RecordRow[], locks: readonly LockRow[] = [], forgotten = 0): RowView {
  const view = new RowView({ name: "sql" });
  view.add("records", records);
  view.add("locks", locks);
  view.setClock({ micros: now * 1_000 + 500, forgotten });
  return view;
}

const run = (view: RowView, ...ops: Operation[]): Outcome => decide(view, { ops }, "session");
const set = (key: string, more: Partial<Operation & { op: "set" }> = {}): Operation & { op: "set" } => ({
  op: "set",
  key: record(key),
  id: "new",
  value: "new",
  ...more,
});

describe("a view of rows", () => {
  it("shows records until their end, and no row that is only there to be locked", () => {
    const view = viewOf([
      row("there"),
      row("over", { end: now }),
      row("soon", { end: now + 1 }),
      row("empty", { isEmpty: true }),
    ]);
    const found = ["there", "over", "soon", "empty", "none"].map((key) => view.find(record(key))?.value);
    assert.deepEqual(found, ["there", undefined, "soon", undefined, undefined]);
  });

  it("shows each caller bytes of its own", () => {
    const view = viewOf([row("b", { value: new Uint8Array([1]) })]);
    const get: Group = { ops: [{ op: "get", key: record("b") }] };
    const [one, other] = [decide(view, get, "s"), decide(view, get, "s")];
    assert.ok(one.ok && other.ok);
    const [first, second] = [one.results[0], other.results[0]] as { value: Uint8Array }[];
    assert.notEqual(first?.value, second?.value);
    assert.deepEqual(first, second);
  });

  it("has groups see what those before them have done, and writes each row once", () => {
    const view = viewOf([row("a"), row("b"), row("c", { end: now + hour })]);
    assert.ok(run(view, set("a", { if: { id: "v" } })).ok);
    assert.ok(run(view, set("a", { id: "newer", if: { id: "new" }, ttl: 1_000 })).ok);
    assert.ok(!run(view, set("a", { if: { id: "v" } })).ok);
    assert.ok(run(view, { op: "delete", key: record("b") }).ok);
    assert.ok(run(view, set("b", { if: { absent: true } })).ok);
    assert.ok(run(view, set("c", { ttl: "keep" })).ok);
    assert.ok(run(view, { op: "touch", key: record("c"), ttl: 5 }).ok);
    const { sets, ends, removed } = view.changes;
    const written = [...sets.values()].map(({ key, version, end }) => [key.key, version, end]);
    assert.deepEqual(written, [
      ["a", "newer", { at: now + 1_001 }],
      ["b", "new", undefined],
      ["c", "new", { at: now + 6 }],
    ]);
    assert.deepEqual([ends.size, removed.size], [0, 0]);
  });

  it("has changed nothing where groups were refused", () => {
    const view = viewOf([row("a")], [{ id: keyId(lock), body: "" }]);
    assert.ok(!run(view, set("a", { if: { absent: true } })).ok);
    assert.ok(!run(view, { op: "extend", lock, owner: "o", grant: 1, ttl: 1 }).ok);
    assert.equal(view.hasChanged, false);
  });

  it("knows of stamps what its statement said, and compares them where it did not", () => {
    const stamps = stampsText([{ key: stamp, id: "s1" }]);
    const get = { op: "get", key: record("a"), stamped: "show" } as const;
    const shown = (view: RowView): unknown => {
      const outcome = run(view, get);
      return outcome.ok && outcome.results[0];
    };
    const whole = { key: "a", id: "v", value: "a", stamps: [{ key: keyId(stamp), id: "s1" }] };
    assert.deepEqual(shown(viewOf([row("a", { stamps, isCurrent: true })])), whole);
    assert.equal(shown(viewOf([row("a", { stamps, isCurrent: false })])), undefined);
    const apart = viewOf([row("a", { stamps })]);
    assert.equal(shown(apart), undefined);
    assert.deepEqual(apart.stampsOf(keyId(record("a"))), [stamp]);
    apart.addStamps([row("", { id: keyId(stamp), version: "s1" })]);
    assert.deepEqual(shown(apart), whole);
    assert.ok(run(apart, set("a", { stamps: [{ key: stamp, id: "s1" }] })).ok);
    assert.throws(
      () => shown(apart),
      (error) => error === needsRead,
    );
  });

  it("gives no grant below one that was forgotten, and keeps a lock in whole hours", () => {
    const view = viewOf([], [{ id: keyId(lock), body: "" }], now * 1_000 + 10_000_000);
    const outcome = run(view, { op: "acquire", lock, owner: "o", mode: "exclusive", ttl: 1_000, info: "" });
    assert.ok(outcome.ok);
    assert.equal((outcome.results[0] as Granted).grant, now * 1_000 + 10_000_001);
    const [saved] = view.changes.locks.values();
    assert.equal(saved?.grant, now * 1_000 + 10_000_001);
    assert.ok(saved !== undefined && saved.keptUntil % hour === 0 && saved.keptUntil >= now + 24 * hour);
  });

  it("tells who is granted a lock that was released", () => {
    const view = viewOf([], [{ id: keyId(lock), body: "" }]);
    const acquire = (owner: string): Operation => {
      return { op: "acquire", lock, owner, mode: "exclusive", ttl: 1_000, info: "", wait: { claimMs: 500 } };
    };
    assert.ok(run(view, acquire("a")).ok);
    assert.ok(!decide(view, { ops: [acquire("b")] }, "other").ok);
    assert.deepEqual(view.news.granted, []);
    assert.ok(run(view, { op: "release", lock, owner: "a" }).ok);
    const granted = view.news.granted.map(({ owner, session, lock: key }) => [owner, session, key]);
    assert.deepEqual(granted, [["b", "other", lock]]);
  });

  it("refuses a lock that it cannot read", () => {
    const view = viewOf([], [{ id: keyId(lock), body: "{" }]);
    assert.throws(() => run(view, { op: "inspect", lock }), CorruptValueError);
  });
});
