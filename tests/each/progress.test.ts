import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { partitionOfKey, partitionOfItem } from "../../src/each/partition.ts";
import { Fifo } from "../../src/each/fifo.ts";
import { markOf, RangeReader, type Position } from "../../src/each/progress.ts";

interface Item {
  readonly id: number;
  readonly offset: number;
}

/** One holder after the other takes the items up from where the progress says, ends some of them, and dies. */
function handOver(ids: readonly number[], holders: readonly (readonly boolean[])[], cuts: readonly number[]): number[] {
  const ended: number[] = [];
  const last = (ids.at(-1) ?? 0) + 1;
  let next: Position = { id: 1, offset: 10 };
  let above: readonly number[] = [];
  for (const [turn, choices] of holders.entries()) {
    const before = new RangeReader(above);
    const ahead = new Fifo<Item>();
    const over = new Set<number>();
    const fedTo = Math.max(next.id, Math.min(cuts[turn] ?? last, last));
    let choice = 0;
    for (const id of ids) {
      if (id < next.id || id >= fedTo) continue;
      ahead.push({ id, offset: id * 10 });
      if (before.has(id)) over.add(id);
      else if (choices[choice++ % choices.length]) {
        over.add(id);
        ended.push(id);
      }
    }
    const mark = markOf(ahead, ({ id }) => over.has(id), { id: fedTo, offset: fedTo * 10 }, above);
    assert.equal(mark.next.offset, mark.next.id * 10);
    assert.ok(mark.above.length / 2 <= ids.length);
    ({ next, above } = mark);
  }
  return ended;
}

test("whatever holders end before they die, every item ends once", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 80 }), { maxLength: 40 }),
      fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 81 }), { maxLength: 6 }),
      (unordered, holders, cuts) => {
        const ids = unordered.toSorted((a, b) => a - b);
        const all = handOver(ids, [...holders, [true]], cuts.slice(0, holders.length));
        assert.deepEqual(
          all.toSorted((a, b) => a - b),
          ids,
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

test("ranges are as few as open items, whatever lies between", () => {
  const ahead = new Fifo<Item>();
  for (let id = 3; id < 3_000; id += 3) ahead.push({ id, offset: id });
  const open = new Set([300, 900]);
  const { next, above } = markOf(ahead, ({ id }) => !open.has(id), { id: 3_000, offset: 3_000 }, []);
  assert.deepEqual(next, { id: 300, offset: 300 });
  assert.deepEqual(above, [303, 897, 903, 2_997]);
});

test("items that ended are let go from the front", () => {
  const ahead = new Fifo<Item>();
  for (let id = 1; id <= 5_000; id++) ahead.push({ id, offset: id });
  while ((ahead.first?.id ?? Infinity) < 4_990) ahead.shift();
  assert.equal(ahead.size, 11);
  assert.deepEqual(
    Array.from({ length: ahead.size }, (_, i) => ahead.at(i).id),
    [4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999, 5000],
  );
});

test("keys stay on their partitions: stored jobs depend on it", () => {
  assert.deepEqual(
    ["a", "b", "account-1", "ключ", "😀", "x".repeat(1_000)].map((key) => partitionOfKey(key, 32)),
    [19, 18, 12, 24, 6, 18],
  );
  assert.deepEqual(
    [1, 256, 257, 8_192, 8_193, 2 ** 40].map((id) => partitionOfItem(id, 32)),
    [0, 0, 1, 31, 0, 31],
  );
});

test("keys are spread evenly", () => {
  const counts = Array.from({ length: 16 }, () => 0);
  for (let i = 0; i < 16_000; i++) {
    const partition = partitionOfKey(`account-${i}`, 16);
    counts[partition] = (counts[partition] as number) + 1;
  }
  for (const count of counts)
    assert.ok(count > 800 && count < 1_200, `${count} of 16,000 keys on one of 16 partitions`);
});
