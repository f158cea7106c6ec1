import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { ContentCheck } from "../../src/each/input/check.ts";
import { toUtf8 } from "../../src/each/input/encoding.ts";
import { inexactNumbers, parseExact, writeExact } from "../../src/each/input/numbers.ts";
import { each } from "../../src/entries/each.ts";
import { folderFor, makeLines, memoryFor } from "./support.ts";

// Wherever an input is cut into pieces, it is the same.

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

async function textOf(read: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of read) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (const piece of cut(bytes, sizes)) yield await Promise.resolve(piece);
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
const format = { delimiter: ",", bigIntegers: undefined, brokenLines: false } as const;

test("UTF-16 is decoded wherever it is cut, and half a pair is found", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 20 }), fc.boolean(), sizes, async (text, big, at) => {
      const units = Buffer.from(text, "utf16le");
      const read = toUtf8(pieces(big ? units.swap16() : units, at), big ? "utf-16be" : "utf-16le");
      assert.equal(await textOf(read), text);
    }),
    { numRuns: 200 },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("\uD83D", "\uDE00"), sizes, async (half, at) => {
      const read = toUtf8(pieces(Buffer.from(`a\nb😀${half}c`, "utf16le"), at), "utf-16le");
      await assert.rejects(textOf(read), { line: 2, column: 4 });
    }),
    { numRuns: 50 },
  );
});

test("rows that are right are taken wherever they are cut; a quote that swallows others is found where it opens", () => {
  const field = fc.string({ unit: fc.constantFrom("a", "é", ",", '"', "\n", "\r\n", " "), maxLength: 6 });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const table = fc.array(fc.array(field, { minLength: 1, maxLength: 3 }), { maxLength: 8 });
  fc.assert(
    fc.property(table, sizes, fc.boolean(), (rows, at, wrong) => {
      const right = rows.map((fields) => `${fields.map(quoted).join(",")}\n`).join("");
      const text = wrong ? `${right}x,"y\n"z",1\n` : right;
      const check = new ContentCheck({ ...format, format: "csv" }, 100);
      let found: ReturnType<ContentCheck["push"]>;
      for (const piece of cut(Buffer.from(text), at)) found ??= check.push(piece);
      found ??= check.end();
      assert.deepEqual(
        found && [found.offset, found.column],
        wrong ? [100 + Buffer.byteLength(right) + 2, 2] : undefined,
      );
    }),
    { numRuns: 200 },
  );
});

const digits = fc
  .tuple(fc.constantFrom("", "-"), fc.bigInt({ min: 2n ** 53n, max: 10n ** 40n }))
  .map(([sign, value]) => `${sign}${value}`);
const small = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);
const escaped = fc.constantFrom('\\"', "\\\\", "12345678901234567890", "1e999", "é", ":");
const text = fc.array(escaped, { maxLength: 4 }).map((parts) => `"${parts.join("")}"`);
const json = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    digits,
    small,
    text,
    fc.array(tie("value"), { maxLength: 3 }).map((all) => `[${all.join(",")}]`),
    fc
      .array(fc.tuple(text, tie("value")), { maxLength: 3 })
      .map((all) => `{${all.map((pair) => pair.join(":")).join(",")}}`),
  ),
})).value;

test("a number that does not fit is found wherever the input is cut, and none that fits", () => {
  fc.assert(
    fc.property(fc.array(json, { maxLength: 6 }), sizes, (values, at) => {
      const check = new ContentCheck({ ...format, format: "jsonl" }, 0);
      const lines = values.map((value) => `${value}\n`);
      let found: ReturnType<ContentCheck["push"]>;
      for (const piece of cut(Buffer.from(lines.join("")), at)) found ??= check.push(piece);
      found ??= check.end();
      const first = values.findIndex((value) => [...inexactNumbers(value)].length > 0);
      const offset = Buffer.byteLength(lines.slice(0, first).join(""));
      assert.deepEqual(found?.offset, first < 0 ? undefined : offset);
    }),
    { numRuns: 300 },
  );
});

test("integers are exact as BigInt and as text, in whatever JSON they are", () => {
  fc.assert(
    fc.property(json, (value) => {
      const asText = [...inexactNumbers(value)].reduceRight(
        (all, { at, literal }) => `${all.slice(0, at)}"${literal}"${all.slice(at + literal.length)}`,
        value,
      );
      assert.deepEqual(parseExact(value, "string"), JSON.parse(asText));
      // Written and read once more it is the same, each BigInt with its own digits.
      const exact = parseExact(value, "bigint");
      assert.deepEqual(parseExact(writeExact(exact), "bigint"), exact);
      assert.equal(writeExact(exact), writeExact(parseExact(writeExact(exact), "bigint")));
      const found = JSON.stringify(exact, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part));
      assert.equal(found, JSON.stringify(JSON.parse(asText)));
    }),
    { numRuns: 300 },
  );
});

test("a compressed input goes on where it was, and is the same work as its content", async (t) => {
  const hf = await memoryFor(t);
  const folder = folderFor(t);
  const lines = makeLines(900, 30);
  const content = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const plain = path.join(folder, "a.jsonl");
  const packed = path.join(folder, "a.jsonl.gz");
  const wide = path.join(folder, "a.txt");
  writeFileSync(plain, content);
  writeFileSync(packed, gzipSync(content));
  writeFileSync(wide, Buffer.from(`\uFEFF${content}`, "utf16le"));
  const seen: number[] = [];
  const run = async (input: string, most: number): Promise<string> => {
    const stop = new AbortController();
    const take = async (_: unknown, { id }: { readonly id: number }): Promise<void> => {
      seen.push(id);
      if (seen.length === most) stop.abort();
      await setImmediate();
    };
    const options = { store: hf, job: "job", key: "account", concurrency: 1, signal: stop.signal };
    return (await each(input, take, options)).outcome;
  };
  assert.equal(await run(packed, 300), "interrupted");
  assert.equal(await run(wide, 600), "interrupted");
  assert.equal(await run(plain, 900), "done");
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    lines.map(({ id }) => id),
  );
});
