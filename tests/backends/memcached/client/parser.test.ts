import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError, ReplyParser, type Reply } from "../../../../src/backends/memcached/client/parser.ts";

const line = fc.constantFrom("HD", "EN", "NF", "NS", "EX", "MN", "END", "ERROR", "STORED", "SERVER_ERROR", "STAT");
const rest = fc.string({ unit: fc.constantFrom("a", "Z", "0", "9", "-", "+", "="), minLength: 1, maxLength: 30 });
const reply = fc.oneof(
  fc.record({ code: line, rest: fc.option(rest, { nil: "" }), value: fc.constant(undefined) }),
  fc.record({ code: fc.constant("VA"), rest: fc.option(rest, { nil: "" }), value: fc.uint8Array({ maxLength: 300 }) }),
);

function bytesOf({ code, rest: text, value }: { code: string; rest: string; value: Uint8Array | undefined }): Buffer {
  const size = value ? ` ${value.length}` : "";
  const head = Buffer.from(`${code}${size}${text === "" ? "" : ` ${text}`}\r\n`, "latin1");
  return value ? Buffer.concat([head, value, Buffer.from("\r\n")]) : head;
}

function parse(chunks: readonly Buffer[], most = 1_024): Reply[] {
  const replies: Reply[] = [];
  const parser = new ReplyParser((one) => replies.push(one), most);
  for (const chunk of chunks) parser.push(chunk);
  return replies;
}

function split(all: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((one) => one % (all.length + 1)).toSorted((a, b) => a - b), all.length];
  return places.slice(1).map((end, i) => Buffer.from(all.subarray(places[i], end)));
}

describe("replies", () => {
  it("are the same however they are split into chunks", () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (given, at) => {
        const found = parse(split(Buffer.concat(given.map(bytesOf)), at));
        const shown = found.map((one) => ({ ...one, value: one.value && new Uint8Array(one.value) }));
        assert.deepEqual(
          shown,
          given.map((one) => ({ ...one })),
        );
      }),
      { numRuns: 500 },
    );
    const all = Buffer.concat([
      bytesOf({ code: "VA", rest: "c1 O2", value: Buffer.from("a\r\nVA 1\r\n") }),
      Buffer.from("HD\r\n"),
    ]);
    const bytewise = parse(split(all, [...all.keys()]));
    assert.deepEqual(
      bytewise.map(({ code, value }) => [code, value && String(value)]),
      [
        ["VA", "a\r\nVA 1\r\n"],
        ["HD", undefined],
      ],
    );
  });

  it("do not keep what was received alive, nor change with it, where they came in pieces", () => {
    const chunk = Buffer.from("VA 6 c1\r\nabc");
    const replies: Reply[] = [];
    const parser = new ReplyParser((one) => replies.push(one), 1_024);
    parser.push(chunk);
    chunk.fill(0);
    parser.push(Buffer.from("def\r\n"));
    assert.equal(String(replies[0]?.value), "abcdef");
  });

  for (const [what, bytes] of [
    ["another protocol", "HTTP/1.1 400 Bad Request\r\n"],
    ["bytes", "\u0015\u0003\u0001\u0000\u0002\r\n"],
    ["a line break alone", "\nHD\r\n"],
    ["an empty line", "\r\n"],
    ["a code that is none", "XX 1\r\n"],
    ["a code in small letters", "hd\r\n"],
    ["a bare LF", "HD\nHD\r\n"],
    ["a value without a size", "VA\r\n"],
    ["a negative size", "VA -1\r\n"],
    ["a size that is no number", "VA 1e3 c1\r\n"],
    ["a value with flags that are no text", "VA 1 c1\rEN\r\nx\r\n"],
    ["a value that is too large", "VA 1025 c1\r\n"],
    ["a size beyond all", `VA ${"9".repeat(40)}\r\n`],
    ["a value that is longer than it says", "VA 2 c1\r\nabc\r\n"],
    ["a value that is shorter than it says", "VA 4 c1\r\nabc\r\nHD\r\n"],
    ["a line without an end", "HD ".padEnd(3_000, "x")],
  ] as const) {
    it(`are refused: ${what}`, () => {
      const all = Buffer.from(bytes, "latin1");
      assert.throws(() => parse([all]), ProtocolError);
      assert.throws(() => parse(split(all, [...all.keys()])), ProtocolError);
    });
  }

  it("are never more than one line and one value in memory", () => {
    const parser = new ReplyParser(() => undefined, 64);
    parser.push(Buffer.from("x".repeat(2_047)));
    assert.throws(() => parser.push(Buffer.from("x")), ProtocolError);
  });
});
