import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { space } from "../../../src/base/keys.ts";
import { cellOf, filterOf, nameOf, topicOf } from "../../../src/backends/nats/keys.ts";

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: fc.constantFrom(":", "=", ".", "/", "*", ">", "a") }),
);
const name = text.filter((one) => one !== "" && Buffer.byteLength(one) <= 256 && one.isWellFormed());
const key = text.filter((one) => one !== "" && Buffer.byteLength(one) <= 1_024 && one.isWellFormed());
const cell = fc.tuple(name, key).map(([its, one]) => space("state", "s", its).id + one);

void describe("names of cells in a bucket", () => {
  void it("are such as NATS takes, and lead back to the cell", () => {
    fc.assert(
      fc.property(cell, (one) => {
        const found = nameOf(one);
        assert.match(found, /^[-/=\w]+\.[-/=\w]+$/);
        assert.equal(cellOf(found), one);
      }),
      { numRuns: 2_000 },
    );
  });

  void it("are readable where the key is", () => {
    assert.equal(nameOf(`${space("state", "checkout", "orders").id}o-42`), "s8/checkout6/orders.o-42");
    assert.equal(nameOf(`${space("lock", "", "l").id}ä.b c`), "l0/1/l.=c3=a4=2eb=20c");
  });

  void it("fit into a line of the protocol, with all that stands before and behind them", () => {
    const longest = space("state", "ä".repeat(128), "😀".repeat(64)).id + "😀".repeat(256);
    const subject = nameOf(longest);
    assert.ok(subject.length < 3_000, `${subject.length} characters`);
    assert.equal(cellOf(subject), longest);
    assert.notEqual(nameOf(`${longest.slice(0, -2)}😁`), subject);
  });

  void it("of a space are what its filter matches", () => {
    const { id } = space("state", "s", "n");
    assert.equal(filterOf(`${id}pre`), "s1/s1/n.>");
    assert.ok(nameOf(`${id}prefix`).startsWith("s1/s1/n."));
  });

  void it("of messages are such too, and no cells", () => {
    fc.assert(
      fc.property(text, (topic) => {
        const found = `${topicOf(topic)}.1`;
        assert.match(found, /^=\.[-/=\w]+\.1$/);
        assert.equal(cellOf(found), undefined);
      }),
    );
    assert.notEqual(topicOf("a"), topicOf("a.1"));
  });

  void it("of another program are no cell", () => {
    for (const other of ["one", "a.b.c", "a.=zz", "a.=80", "==.=", ".", "=."]) {
      const found = cellOf(other);
      assert.ok(found === undefined || nameOf(found) === other || found === "", `${other} is ${found}`);
    }
  });
});
