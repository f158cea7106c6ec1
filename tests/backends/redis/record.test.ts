import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space } from "../../../src/base/keys.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import {
  decodeRecord,
  encodeRecord,
  encodeText,
  isPlainText,
  joined,
  stampsOf,
} from "../../../src/backends/redis/record.ts";
import type { Payload, Stamp } from "../../../src/port/index.ts";

const layout = new Layout("hf");
const stamp = (key: string, id: string): Stamp => ({ key: { space: space("stamp", "", "c"), key }, id });

function bytesOf(id: string, value: Payload, stamps?: readonly Stamp[]): Buffer {
  return Buffer.from(joined(encodeRecord(id, value, stamps, layout, false)));
}

const values: readonly Payload[] = [
  ...["", "text", '{"a":1}', "\u0000", "ä漢😀", "\ud800 alone", "x\udc00", "@5"],
  ...[new Uint8Array(), new Uint8Array([0, 255, 64]), Buffer.from("buffer")],
];
const ids = ["", "v1", "ä😀 '\\", "v".repeat(64)];
const stampLists = [undefined, [], [stamp("t", "1")], [stamp("ä}{", "ä"), stamp("k".repeat(1_024), "x".repeat(64))]];

describe("a record on Redis", () => {
  it("comes back as it was, with its stamps", () => {
    for (const id of ids)
      for (const value of values)
        for (const stamps of stampLists) {
          const bytes = bytesOf(id, value, stamps);
          const record = decodeRecord("k", bytes);
          const expected = typeof value === "string" ? value : new Uint8Array(value);
          assert.deepEqual(record, { key: "k", id, value: expected });
          const named = (stamps ?? []).map(({ key, id: its }) => ({ name: layout.name(key), id: its }));
          assert.deepEqual(stampsOf(bytes), named);
        }
  });

  it("is the same by the short way for plain text", () => {
    for (const id of ids)
      for (const value of values) {
        if (isPlainText(value)) assert.deepEqual(Buffer.from(encodeText(id, value)), bytesOf(id, value));
      }
    assert.deepEqual([isPlainText("\ud800"), isPlainText(new Uint8Array())], [false, false]);
  });

  it("is as written down, for data outlives the program", () => {
    assert.equal(encodeText("v1", "{}"), '@"v1{}');
    assert.deepEqual(encodeRecord("v1", "{}", [stamp("t", "7")], layout, false), {
      head: 'H"v1',
      tail: "0000180012hf:t0:1:c{t}!7{}",
    });
    const ends = Buffer.from('D"v11763926400000{}');
    assert.deepEqual(decodeRecord("k", ends), { key: "k", id: "v1", value: "{}", expiresAt: 1_763_926_400_000 });
  });

  it("holds bytes of its own", () => {
    const given = new Uint8Array([1, 2, 3]);
    const bytes = bytesOf("v", given);
    given[0] = 9;
    const { value } = decodeRecord("k", bytes) as { value: Uint8Array };
    bytes.fill(0);
    assert.deepEqual([...value], [1, 2, 3]);
  });

  it("is nothing else", () => {
    for (const text of ["", "@", "x", "P v", "@\u001f", "@~short", 'D"v1notadateatall', 'H"v1', "{}", "1"]) {
      assert.equal(decodeRecord("k", Buffer.from(text)), undefined, text);
    }
  });
});
