import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { csv, jsonl } from "../../src/each/input/formats.ts";
import { parseCsvRecord } from "../../src/each/input/csv.ts";
import { RecordReader } from "../../src/each/input/reader.ts";
import { lines, rows, splitRecords, type Cut, type RawRecord } from "../../src/each/input/records.ts";
import { folderFor } from "./support.ts";

const field = fc.string({ unit: fc.constantFrom("a", "é", "😀", ",", '"', "\n", "\r", " ", "0"), maxLength: 6 });
const row = fc.array(field, { minLength: 2, maxLength: 4 });

/** A row as RFC 4180 writes it: quotes where they are needed, and where `always` says so. */
function writeRow(fields: readonly string[], always: boolean): string {
  return fields.map((text) => (always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",");
}

async function readAll(file: string, bytes: number, cut: Cut): Promise<RawRecord[]> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const reader = new RecordReader(handle, size, cut, { id: 1, offset: 0 }, bytes);
    const records: RawRecord[] = [];
    for (;;) {
      const block = await reader.read();
      records.push(...block.records);
      if (block.end) return records;
    }
  } finally {
    await handle.close();
  }
}

test("rows come back as they were written, wherever the blocks are cut", async (t) => {
  const file = path.join(folderFor(t), "rows.csv");
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      fc.constantFrom("\n", "\r\n"),
      fc.boolean(),
      fc.integer({ min: 1, max: 40 }),
      async (table, always, ending, endsWithNewline, bytes) => {
        await writeFile(
          file,
          table.map((fields) => writeRow(fields, always)).join(ending) + (endsWithNewline ? ending : ""),
        );
        const records = await readAll(file, bytes, rows(","));
        assert.deepEqual(
          records.map(({ text }) => parseCsvRecord(text as string)),
          table,
        );
        assert.deepEqual(
          records.map(({ id }) => id),
          table.map((_, i) => i + 1),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("lines come back with the offsets that they start at, wherever the blocks are cut", async (t) => {
  const file = path.join(folderFor(t), "lines.jsonl");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.jsonValue(), fc.constant(undefined)), { maxLength: 12 }),
      fc.integer({ min: 1, max: 40 }),
      async (values, bytes) => {
        const text = values.map((value) => (value === undefined ? " \n" : `${JSON.stringify(value)}\n`)).join("");
        await writeFile(file, text);
        const records = await readAll(file, bytes, lines);
        const present = values.filter((value) => value !== undefined);
        assert.deepEqual(
          records.map((record) => jsonl().parse(record.text)),
          present.map((value) => ({ ok: true, item: JSON.parse(JSON.stringify(value)) as unknown })),
        );
        for (const record of records) {
          const from = Buffer.from(text).subarray(record.offset);
          assert.equal(from.toString().split("\n")[0], record.text);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("what is no row says why", () => {
  assert.equal(parseCsvRecord('"a'), "a quote is never closed");
  assert.equal(parseCsvRecord('"a"b,c'), "there is text after a closing quote");
  assert.deepEqual(parseCsvRecord('5" pipe,x'), ['5" pipe', "x"]);
  assert.deepEqual(parseCsvRecord(""), [""]);
  assert.deepEqual(csv(["a", "b"]).parse("1,2,3"), { ok: false, fault: "the row has 3 fields, the header has 2" });
  assert.deepEqual(csv(["a", "__proto__"]).parse("1,2"), {
    ok: true,
    item: Object.fromEntries([
      ["a", "1"],
      ["__proto__", "2"],
    ]),
  });
});

test("bytes that are not UTF-8 spoil their own line only", () => {
  const buffer = Buffer.concat([Buffer.from('"a"\n"'), Buffer.from([0xff]), Buffer.from('"\n"é"\n')]);
  const { records } = splitRecords(buffer, { id: 1, offset: 0 }, lines, true);
  assert.deepEqual(
    records.map(({ text }) => text),
    ['"a"', undefined, '"é"'],
  );
  // A block that ends inside of a character is no reason to look at each line.
  const cut = splitRecords(Buffer.from('"a"\n"é').subarray(0, -1), { id: 1, offset: 0 }, lines, false);
  assert.deepEqual(
    cut.records.map(({ text }) => text),
    ['"a"'],
  );
  assert.deepEqual(cut.next, { id: 2, offset: 4 });
});

test("a record that is too long to hold is refused, with where it is", () => {
  const endless = Buffer.alloc(17 * 1024 * 1024, "x");
  assert.throws(
    () => splitRecords(endless, { id: 5, offset: 100 }, lines, false),
    /record 5, at byte 100 of the input/,
  );
});
