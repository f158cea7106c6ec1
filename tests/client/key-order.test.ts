import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { space } from "../../src/base/keys.ts";
import { groupWrites, KeyOrder, writes, type KeyLines, type KeyEntry } from "../../src/client/key-order.ts";
import type { Group, Operation } from "../../src/port/index.ts";

const records = space("state", "test", "order");
const get = (key: string): Operation => ({ op: "get", key: { space: records, key } });
const del = (key: string): Operation => ({ op: "delete", key: { space: records, key } });
const keyOf = (op: Operation): string => ("key" in op ? op.key.key : op.lock.key);

interface Tracked extends KeyEntry {
  readonly index: number;
  lines: KeyLines;
}

function entry(index: number, ...ops: Operation[]): Tracked {
  return { index, group: { ops }, missing: 0, lines: [] };
}

function enter(order: KeyOrder, one: Tracked): boolean {
  one.lines = order.linesOf(one.group);
  return order.enter(one);
}

void test("readers of a key go together, a writer goes alone, and each in its order", () => {
  const order = new KeyOrder();
  const admitted: number[] = [];
  const admit = (next: KeyEntry) => void admitted.push((next as Tracked).index);
  const entries = [
    entry(0, get("a")),
    entry(1, get("a")),
    entry(2, del("a")),
    entry(3, get("a")),
    entry(4, get("b")),
  ] as const;
  assert.deepEqual(
    entries.map((each) => enter(order, each)),
    [true, true, false, false, true],
  );
  assert.equal(order.idle({ ops: [get("a")] }), false, "a reader does not overtake the writer that waits");
  order.leave(entries[0], admit);
  assert.deepEqual(admitted, []);
  order.leave(entries[1], admit);
  assert.deepEqual(admitted, [2]);
  order.leave(entries[2], admit);
  assert.deepEqual(admitted, [2, 3]);
  order.leave(entries[3], admit);
  assert.equal(order.idle({ ops: [del("a")] }), true);
});

void test("an entry that withdraws lets those behind it go", () => {
  const order = new KeyOrder();
  const admitted: number[] = [];
  const admit = (next: KeyEntry) => void admitted.push((next as Tracked).index);
  const [first, both, last] = [entry(0, del("a")), entry(1, del("a"), del("b")), entry(2, get("b"))];
  enter(order, first);
  assert.equal(enter(order, both), false);
  assert.equal(enter(order, last), false, "it stands behind an entry that waits for another key");
  order.withdraw(both, admit);
  assert.deepEqual(admitted, [2]);
  order.leave(last, admit);
  order.leave(first, admit);
  assert.equal(order.idle({ ops: [del("a"), del("b")] }), true);
});

void test("an acquire that waits goes with the release before it, one of them, and what comes next waits for both", () => {
  const locked = { space: space("lock", "test", "order"), key: "a" };
  const acquire = (owner: string, waits: boolean): Operation => ({
    op: "acquire",
    lock: locked,
    owner,
    mode: "exclusive",
    ttl: 1_000,
    info: "",
    ...(waits ? { wait: { claimMs: 100 } } : {}),
  });
  const release: Operation = { op: "release", lock: locked, owner: "1" };
  const order = new KeyOrder();
  const admitted: number[] = [];
  const admit = (next: KeyEntry) => void admitted.push((next as Tracked).index);

  const [first, second, third] = [entry(0, release), entry(1, acquire("2", true)), entry(2, acquire("3", true))];
  assert.deepEqual(
    [first, second, third].map((each) => enter(order, each)),
    [true, true, false],
  );
  order.leave(second, admit);
  assert.deepEqual(admitted, []);
  order.leave(first, admit);
  assert.deepEqual(admitted, [2]);
  order.leave(third, admit);

  const tries = [entry(3, release), entry(4, acquire("4", false)), entry(5, acquire("5", true))];
  assert.deepEqual(
    tries.map((each) => enter(order, each)),
    [true, false, false],
    "one that does not wait is refused if it comes first, so it comes after, and nobody overtakes it",
  );
  for (const each of tries) order.leave(each, admit);
  assert.deepEqual(admitted, [2, 4, 5]);

  const [over, late] = [entry(6, release), entry(7, acquire("7", true))];
  enter(order, over);
  order.leave(over, admit);
  assert.equal(enter(order, late), true);
  assert.equal(enter(order, entry(8, acquire("8", true))), false, "there is no release any more that it could go with");
});

void test("equal spaces are one, and those without a call are forgotten", () => {
  const order = new KeyOrder();
  const named = (name: string): KeyEntry => {
    const op: Operation = { op: "delete", key: { space: space("state", "test", name), key: "k" } };
    const made = { group: { ops: [op] }, missing: 0 };
    return { ...made, lines: order.linesOf(made.group) };
  };
  const held = named("0");
  order.enter(held);
  for (let i = 1; i < 2_000; i++) {
    const one = named(`${i}`);
    assert.equal(order.enter(one), true);
    order.leave(one, () => undefined);
  }
  const behind = named("0");
  assert.equal(order.enter(behind), false);
  const admitted: KeyEntry[] = [];
  order.leave(held, (next) => void admitted.push(next));
  assert.deepEqual(admitted, [behind]);
});

void test("property: never a writer beside another entry on its key, never out of order, never stuck", () => {
  const groups = fc.array(
    fc.uniqueArray(fc.record({ key: fc.constantFrom("a", "b", "c", "d"), write: fc.boolean() }), {
      selector: (op) => op.key,
      minLength: 1,
      maxLength: 4,
    }),
    { minLength: 1, maxLength: 30 },
  );
  fc.assert(
    fc.property(groups, fc.infiniteStream(fc.nat()), (specs, choices) => {
      const order = new KeyOrder();
      const active = new Set<Tracked>();
      const started: Tracked[] = [];
      const admit = (next: KeyEntry): void => {
        const tracked = next as Tracked;
        for (const other of active) {
          for (const op of tracked.group.ops) {
            const clash = other.group.ops.find((theirs) => keyOf(theirs) === keyOf(op));
            assert.ok(!clash || (!writes(clash) && !writes(op)), "a writer is not alone");
          }
        }
        active.add(tracked);
        started.push(tracked);
      };
      const pick = () => choices.next().value as number;
      let withdrawn = 0;
      const queued = new Set<Tracked>();
      specs.forEach((spec, index) => {
        const tracked = entry(index, ...spec.map(({ key, write }) => (write ? del(key) : get(key))));
        if (enter(order, tracked)) admit(tracked);
        else queued.add(tracked);
        for (const one of started) queued.delete(one);
        if (pick() % 3 === 0 && active.size > 0) {
          const done = [...active][pick() % active.size] as Tracked;
          active.delete(done);
          order.leave(done, admit);
        }
        for (const one of started) queued.delete(one);
        if (pick() % 5 === 0 && queued.size > 0) {
          const gone = [...queued][pick() % queued.size] as Tracked;
          queued.delete(gone);
          withdrawn++;
          order.withdraw(gone, admit);
        }
      });
      while (active.size > 0) {
        const done = [...active][pick() % active.size] as Tracked;
        active.delete(done);
        order.leave(done, admit);
      }
      assert.equal(started.length + withdrawn, specs.length, "somebody waits forever");
      // Of two entries on one key, one of which writes it, the earlier one starts first.
      for (const [i, later] of started.entries()) {
        for (const before of started.slice(i + 1)) {
          if (before.index > later.index) continue;
          const clash = before.group.ops.some((op) =>
            later.group.ops.some((own) => keyOf(own) === keyOf(op) && (writes(op) || writes(own))),
          );
          assert.ok(!clash, `entry ${later.index} overtook ${before.index}`);
        }
      }
      const everything: Group = { ops: ["a", "b", "c", "d"].map(del) };
      assert.ok(groupWrites(everything) && order.idle(everything));
    }),
  );
});
