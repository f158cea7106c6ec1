import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as zlib from "node:zlib";
import { isHoldfastError } from "../../src/base/errors.ts";
import { jobStoreName } from "../../src/each/layout.ts";
import { each, InputError, type EachOptions, type EachSummary } from "../../src/entries/each.ts";
import type { Holdfast } from "../../src/entries/index.ts";
import { folderFor, memoryFor, readLines } from "./support.ts";

// Inputs that cannot be meant as they would be read are refused before there is a job, and the corrected call works.

const many = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");
const latin = (text: string): Buffer => Buffer.from(text, "latin1");
const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");
const utf16be = (text: string): Buffer => Buffer.from(utf16(text)).swap16();

interface Case {
  /** The name of the file, for its extension. */
  readonly file: string;
  readonly input: string | Buffer;
  readonly options?: EachOptions;
  readonly says: RegExp;
  readonly line?: number;
  readonly column?: number;
  /** What is said instead, or given, and the items that the handler gets then. */
  readonly corrected?: { readonly options?: EachOptions; readonly input?: string; readonly items: readonly unknown[] };
}

const ann = { id: "1", account: "ann" };
const bob = { id: "2", account: "bob" };
const rows = "id,account\n1,ann\n2,bob\n";

const cases: Readonly<Record<string, Case>> = {
  "CR line ends of CSV": {
    file: "a.csv",
    input: rows.replaceAll("\n", "\r"),
    says: /carriage return alone/,
    line: 1,
    column: 11,
  },
  "CR line ends of JSON Lines": {
    file: "a.jsonl",
    input: '{"a":1}\r{"a":2}\r',
    says: /carriage return alone/,
    line: 1,
  },
  "CR CR LF": { file: "a.csv", input: rows.replaceAll("\n", "\r\r\n"), says: /carriage return/, line: 1 },
  "a lone CR in each row": {
    file: "a.csv",
    input: "id,account\n1,ann\r2\n3,bob\r4\n",
    says: /carriage return/,
    line: 2,
  },
  "an integer beyond 2^53 - 1": {
    file: "a.jsonl",
    input: '{"id":9007199254740991}\n\n{"id":{"n":[-9007199254740993]}}\n',
    says: /integer -9007199254740993 is beyond 2\^53 - 1.*--big-integers string/,
    line: 3,
    column: 13,
    corrected: {
      options: { bigIntegers: "bigint" },
      items: [{ id: 9007199254740991 }, { id: { n: [-9007199254740993n] } }],
    },
  },
  "a key beyond 2^53 - 1": {
    file: "a.jsonl",
    input: '{"id":9007199254740993}\n{"id":9007199254740992}\n',
    options: { key: "id" },
    says: /"id"/,
    line: 1,
    corrected: {
      options: { key: "id", bigIntegers: "string" },
      items: [{ id: "9007199254740993" }, { id: "9007199254740992" }],
    },
  },
  "an integer at the end of a long input": {
    file: "a.jsonl",
    input: `${many(60_000, (i) => `{"id":${i},"text":"12345678901234567890 1e999"}\n`)}{"id":12345678901234567890}`,
    says: /integer 12345678901234567890/,
    line: 60_001,
    column: 7,
  },
  "a number that is too large": {
    file: "a.jsonl",
    input: '{"n":1}\n{"n":-1e400}\n',
    says: /-1e400 is too large/,
    line: 2,
    column: 6,
  },
  "a number that is too small": {
    file: "a.jsonl",
    input: '{"n":1}\n[0.1E-400]\n',
    says: /0\.1E-400 is too small/,
    line: 2,
    column: 2,
  },
  "a header that is not UTF-8": {
    file: "a.csv",
    input: latin("id,stra\u00DFe\n1,x\n"),
    options: { encoding: "utf-8" },
    says: /in the header, the byte 0xDF.*--encoding windows-1252/,
    line: 1,
    column: 2,
    corrected: { options: { encoding: "latin1" }, items: [{ id: "1", straße: "x" }] },
  },
  "a line that is not UTF-8": {
    file: "a.jsonl",
    input: latin(`${many(60_000, () => '"x"\n')}"M\u00FCller"\n`),
    says: /byte 0xFC is not UTF-8.*--encoding windows-1252/,
    line: 60_001,
    column: 3,
  },
  "UTF-16 without a mark": {
    file: "a.csv",
    input: utf16(rows),
    says: /zero byte.*--encoding utf-16le/,
    line: 1,
    column: 2,
    corrected: { options: { encoding: "utf-16le" }, items: [ann, bob] },
  },
  "UTF-16 the wrong way around": {
    file: "a.csv",
    input: utf16be(rows),
    options: { encoding: "utf-16le" },
    says: /looks like utf-16be/,
    corrected: { options: { encoding: "utf-16be" }, items: [ann, bob] },
  },
  "UTF-8 that is said to be UTF-16": {
    file: "a.csv",
    input: rows,
    options: { encoding: "utf-16le" },
    says: /not utf-16le/,
  },
  "UTF-16 that is cut off": {
    file: "a.csv",
    input: utf16(`\uFEFF${rows}`).subarray(0, -1),
    says: /not utf-16le/,
    line: 3,
    column: 6,
  },
  "UTF-16 with half a pair": {
    file: "a.csv",
    input: utf16("\uFEFFid\nab\uD800\n"),
    says: /not utf-16le/,
    line: 2,
    column: 3,
  },
  "what is no text of the encoding": {
    file: "a.csv",
    input: Buffer.from([0x69, 0x64, 0x0a, 0x31, 0xff, 0xff, 0x0a]),
    options: { encoding: "shift_jis" },
    says: /not shift_jis/,
    line: 2,
    column: 2,
  },
  "a mark of another encoding": {
    file: "a.csv",
    input: `\uFEFF${rows}`,
    options: { encoding: "windows-1252" },
    says: /mark of utf-8/,
  },
  "UTF-32": { file: "a.csv", input: Buffer.from([0xff, 0xfe, 0, 0, 0x69, 0, 0, 0]), says: /utf-32le/ },
  "bytes that are no text": { file: "a.jsonl", input: '{"a":\0}\n', says: /is it text at all/, line: 1, column: 6 },
  "a zip": { file: "a.csv", input: "PK\u0003\u0004", says: /compressed by zip/ },
  "a gzip that is cut off": {
    file: "a.csv.gz",
    input: zlib.gzipSync(rows).subarray(0, -6),
    says: /damaged or was cut off/,
  },
  "a gzip with something behind it": {
    file: "a.csv.gz",
    input: Buffer.concat([zlib.gzipSync(rows), Buffer.from("1,x\n")]),
    says: /damaged or was cut off/,
  },
  "compressed twice": { file: "a.csv.gz", input: zlib.gzipSync(zlib.gzipSync(rows)), says: /compressed twice/ },
  semicolons: {
    file: "a.csv",
    input: "id;account\n1;ann\n2;bob\n",
    says: /one column.*semicolons.*--delimiter ";"/,
    line: 1,
    corrected: { options: { delimiter: ";" }, items: [ann, bob] },
  },
  "semicolons, and commas in the fields": {
    file: "a.csv",
    input: "id;price, net\n1;5,0\n2;7\n",
    says: /2 columns.*--delimiter ";"/,
    line: 1,
    corrected: {
      options: { delimiter: ";" },
      items: [
        { id: "1", "price, net": "5,0" },
        { id: "2", "price, net": "7" },
      ],
    },
  },
  tabs: {
    file: "a.csv",
    input: "id\taccount\n1\tann\n\t\n",
    says: /--delimiter tab/,
    line: 1,
    corrected: { options: { delimiter: "\t" }, items: [ann, { id: "", account: "" }] },
  },
  bars: {
    file: "a.csv",
    input: "id|account\n1|ann\n",
    says: /--delimiter "\|"/,
    line: 1,
    corrected: { options: { delimiter: "," }, items: [{ "id|account": "1|ann" }] },
  },
  "empty columns at the end": {
    file: "a.csv",
    input: "id,account,,\n1,ann,,\n",
    says: /has no name.*remove the empty columns/,
    line: 1,
    column: 3,
  },
  "a delimiter at the end of each row": {
    file: "a.csv",
    input: "id,account\n\n1,ann,\n2,bob,\n",
    says: /3 fields, the header has 2.*ends with a delimiter/,
    line: 3,
    column: 3,
  },
  "a column twice": { file: "a.csv", input: "id,x,id\n", says: /"id" twice/, line: 1, column: 3 },
  "no header": { file: "a.csv", input: "", says: /no header/ },
  "a quote that swallows rows": {
    file: "a.csv",
    input: `id,account\n${many(9_999, (i) => `${i},ann\n`)}x,"ann\n${many(1_000, (i) => `${i},ann\n`)}y,"bob"\n2,bob\n`,
    says: /\("account"\): the quote that opens this field is closed by one that text follows.*next 1001 lines/,
    line: 10_001,
    column: 2,
  },
  "a quote that is never closed": {
    file: "a.csv",
    input: 'id,account\n1,"ann\n2,bob\n',
    says: /never closed/,
    line: 2,
    column: 2,
  },
  "a quote over more than a record": {
    file: "a.csv",
    input: `id,account\n1,"ann\n${many(180_000, () => `${"x".repeat(98)}\n`)}`,
    says: /not closed within 16 MiB/,
    line: 2,
    column: 2,
  },
  "a line over more than a record": {
    file: "a.jsonl",
    input: `1\n"${"x".repeat(17 << 20)}"`,
    says: /longer than 16 MiB/,
    line: 2,
  },
  "a key that no column has": {
    file: "a.csv",
    input: rows,
    options: { key: "Account" },
    says: /did you mean "account"\?/,
    line: 1,
    corrected: { options: { key: "account" }, items: [ann, bob] },
  },
  "a key that is empty in all rows": {
    file: "a.csv",
    input: "id,account\n1,\n2,\n",
    options: { key: "account" },
    says: /it is empty there/,
    line: 2,
    column: 2,
  },
  "a key that no item has": {
    file: "a.jsonl",
    input: many(2_000, (i) => `{"id":${i}}\n`),
    options: { key: "account" },
    says: /none of the first 1000 items has .*"account".*there are "id"/,
    line: 1,
  },
  "a key of what is no object": {
    file: "a.jsonl",
    input: "[1]\n[2]\n",
    options: { key: "id" },
    says: /it is no object/,
    line: 1,
  },
  "a JSON value over many lines": {
    file: "a.json",
    input: "[\n  1,\n  2\n]\n",
    says: /each line is to be a value of its own/,
    line: 1,
  },
  "CSV that is taken for JSON": {
    file: "a.txt",
    input: rows,
    says: /--format csv/,
    line: 1,
    corrected: { options: { format: "csv" }, items: [ann, bob] },
  },
};

async function itemsOf(
  hf: Holdfast,
  input: string,
  options: EachOptions = {},
): Promise<{ items: unknown[]; summary: EachSummary }> {
  const items: unknown[] = [];
  const take = (item: unknown, { id }: { readonly id: number }): void => void (items[id - 1] = item);
  const summary = await each(input, take, { store: hf, job: "job", ...options });
  return { items, summary };
}

for (const [name, { file, input, options, says, line, column, corrected }] of Object.entries(cases)) {
  test(`refused before there is a job: ${name}`, async (t) => {
    const hf = await memoryFor(t);
    const at = path.join(folderFor(t), file);
    writeFileSync(at, input);
    const error = await itemsOf(hf, at, options).then(
      () => assert.fail("it was taken"),
      (thrown: unknown) => thrown,
    );
    assert.ok(isHoldfastError(error, "INVALID_ARGUMENT") && error instanceof InputError, String(error));
    assert.match(error.message, says);
    assert.deepEqual([error.line, error.column], [line, column ?? error.column], error.message);
    assert.equal(await hf.state(jobStoreName("job")).has("job"), false);
    assert.deepEqual(spooled(), []);
    if (!corrected) return;
    const { items, summary } = await itemsOf(hf, at, corrected.options);
    assert.equal(summary.outcome, "done");
    assert.deepEqual(items, corrected.items);
  });
}

/** Copies of inputs that this process has left behind. */
function spooled(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`holdfast-each-${process.pid}-`));
}

const asText = "id,account\r\n1,Müller 😀\r\n2,\u20AC\uFFFD\r\n";
const items = [
  { id: "1", account: "Müller 😀" },
  { id: "2", account: "\u20AC\uFFFD" },
];
const zstd = (zlib as { readonly zstdCompressSync?: (text: string | Buffer) => Buffer }).zstdCompressSync;

const readable: Readonly<Record<string, readonly [file: string, input: Buffer | undefined, options?: EachOptions]>> = {
  "UTF-8 with a mark": ["a.csv", Buffer.from(`\uFEFF${asText}`)],
  "UTF-8 as said": ["a.csv", Buffer.from(asText), { encoding: "utf8" }],
  "UTF-16 by its mark": ["a.csv", utf16(`\uFEFF${asText}`)],
  "UTF-16 the other way, by its mark": ["a.csv", utf16be(`\uFEFF${asText}`), { encoding: "utf-16" }],
  "UTF-16 as said": ["a.csv", utf16(asText), { encoding: "UTF-16LE" }],
  gzip: ["a.csv.gz", zlib.gzipSync(asText)],
  "gzip of many members, whatever its name": [
    "a.csv",
    Buffer.concat([zlib.gzipSync(asText.slice(0, 20)), zlib.gzipSync(asText.slice(20))]),
  ],
  "gzip of UTF-16": ["a.CSV.GZ", zlib.gzipSync(utf16(`\uFEFF${asText}`))],
  "zstd of many frames": [
    "a.csv.zst",
    zstd && Buffer.concat([zstd(asText.slice(0, 20)), zstd(""), zstd(asText.slice(20))]),
  ],
  tabs: ["a.tsv", Buffer.from(asText.replaceAll(",", "\t"))],
};

for (const [name, [file, input, options]] of Object.entries(readable)) {
  test(`read as it is: ${name}`, { skip: input === undefined && "this Node reads no zstd" }, async (t) => {
    const at = path.join(folderFor(t), file);
    writeFileSync(at, input as Buffer);
    assert.deepEqual((await itemsOf(await memoryFor(t), at, options)).items, items);
    assert.deepEqual(spooled(), []);
  });
}

test("windows-1252 is the same on every Node, and a stream is read as a file is", async (t) => {
  const hf = await memoryFor(t);
  const file = path.join(folderFor(t), "a.csv.gz");
  writeFileSync(file, zlib.gzipSync(latin("id,account\n1,\u0080\u0092\u00FC\n")));
  const got = [{ id: "1", account: "€’ü" }];
  assert.deepEqual((await itemsOf(hf, file, { encoding: "latin1" })).items, got);
  const again: unknown[] = [];
  const stream = (await import("node:fs")).createReadStream(file);
  await each(stream, (item) => void again.push(item), { store: hf, job: "stream", format: "csv", encoding: "cp1252" });
  assert.deepEqual(again, got);
  assert.deepEqual(spooled(), []);
});

test("what is wrong with one record alone is a dead letter with its cause, wherever it is", async (t) => {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const csv = path.join(folder, "a.csv");
  const fine = many(1_200, (i) => `${i},ann\n`);
  writeFileSync(csv, `id,account\n${fine}1,"a"b\n1,ann\r2\n1,"a\nb",c\n2,\n3,bob\n`);
  const deadLetter = path.join(folder, "dead.jsonl");
  const { summary } = await itemsOf(hf, csv, { key: "account", deadLetter });
  assert.deepEqual([summary.outcome, summary.done, summary.dead], ["dead", 1_201, 4]);
  const letters = readLines(deadLetter) as { id: number; error: { message: string }; raw?: string }[];
  assert.deepEqual(
    letters.toSorted((a, b) => a.id - b.id).map(({ id, error, raw }) => [id, error.message, raw]),
    [
      [1_201, "there is text after a closing quote", '1,"a"b'],
      [1_202, "a carriage return without a newline is in it, outside of quotes", "1,ann\r2"],
      [1_203, "the row has 3 fields, the header has 2; it spans 2 lines: is a quote not closed?", '1,"a\nb",c'],
      [1_204, 'the item has no key in the field "account"', undefined],
    ],
  );
  const lines = path.join(folder, "a.jsonl");
  writeFileSync(lines, Buffer.concat([Buffer.from('{"n":1}\n'), latin('{"n":"\u00FC"}\n'), Buffer.from('{"n":3\n')]));
  const broken = await itemsOf(hf, lines, { job: "broken", encoding: "utf-8", deadLetter });
  assert.deepEqual([broken.summary.done, broken.summary.dead], [1, 2]);
  assert.deepEqual(
    (readLines(deadLetter) as { error: { message: string } }[]).map(({ error }) => error.message).toSorted(),
    ["the line is not valid JSON", "the record is not valid UTF-8"],
  );
});

test("a big integer in a dead letter is written as in the input", async (t) => {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const input = path.join(folder, "a.jsonl");
  const deadLetter = path.join(folder, "dead.jsonl");
  writeFileSync(input, '{"id":12345678901234567890}\n');
  const fails = (): never => {
    throw new Error("no");
  };
  await each(input, fails, { store: hf, bigIntegers: "bigint", key: "id", retries: 0, deadLetter });
  const { readFileSync } = await import("node:fs");
  assert.match(readFileSync(deadLetter, "utf8"), /"key":"12345678901234567890".*"item":\{"id":12345678901234567890\}/);
});

test("options of the input are checked, and are the job's", async (t: TestContext) => {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const csv = path.join(folder, "a.csv");
  const lines = path.join(folder, "a.jsonl");
  writeFileSync(csv, rows);
  writeFileSync(lines, "1\n");
  const wrong: [string, EachOptions, RegExp][] = [
    [csv, { delimiter: ";;" }, /delimiter must be one character/],
    [csv, { delimiter: '"' }, /delimiter must be one character/],
    [csv, { delimiter: "\u00A7" }, /delimiter must be one character/],
    [lines, { delimiter: ";" }, /delimiter is for CSV/],
    [csv, { bigIntegers: "bigint" }, /bigIntegers is for JSON Lines/],
    [lines, { bigIntegers: "float" as "bigint" }, /bigIntegers must be/],
    [lines, { encoding: "klingon" }, /encoding must be the name/],
    [lines, { encoding: 7 as unknown as string }, /encoding must be the name/],
  ];
  for (const [input, options, says] of wrong) {
    assert.throws(() => void each(input, () => undefined, { store: hf, ...options }), says);
  }
  await itemsOf(hf, csv);
  await assert.rejects(itemsOf(hf, csv, { delimiter: ";" }), /the job "job" has the delimiter ",", not ";"/);
  await itemsOf(hf, lines, { job: "lines" });
  await assert.rejects(itemsOf(hf, lines, { job: "lines", bigIntegers: "bigint" }), /says nothing of big integers/);
});
