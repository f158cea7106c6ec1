import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  MessageReader,
  grantPayload,
  messageParts,
  readGrant,
} from "../../../../src/backends/postgres/signals/payloads.ts";
import { Channels, nameOf, watchedBy } from "../../../../src/backends/postgres/signals/channels.ts";
import { space } from "../../../../src/base/keys.ts";
import type { Signal } from "../../../../src/port/index.ts";

const gap: Signal = { type: "gap" };

function read(reader: MessageReader, ...payloads: readonly (string | undefined)[]): readonly Signal[] {
  return payloads.flatMap((payload) => reader.take(payload as string));
}

describe("the payloads of Postgres", () => {
  it("carry a grant, whatever the characters of its lock and owner, in less than 8,000 bytes", () => {
    const lock = { space: space("lock", "s".repeat(256), "\u0001".repeat(256)), key: "\u0000,\n ü😀".repeat(90) };
    const payload = grantPayload(lock, { owner: "ä:ö\n 1", session: "s", grant: 2 ** 52 });
    assert.ok(Buffer.byteLength(payload) < 8_000);
    assert.match(payload, /^[\w+/= ]+$/);
    assert.deepEqual(readGrant(payload), { lock, owner: "ä:ö\n 1", grant: 2 ** 52 });
  });

  it("carry no grant that they were not made for", () => {
    const lock = Buffer.from("l0:1:nk").toString("base64");
    for (const payload of ["", "1", "1 bw==", `0 bw== ${lock}`, `x bw== ${lock}`, `1  ${lock}`, `1 bw== ${lock} x`]) {
      assert.equal(readGrant(payload), undefined, payload);
    }
    assert.equal(readGrant(`1 bw== ${Buffer.from("l0:1:n").toString("base64")}`), undefined, "no key");
    assert.ok(readGrant(`1 bw== ${lock}`));
  });

  it("carry a message in parts, each of less than 8,000 bytes and unlike the others", () => {
    for (const body of ["", "x", "\u0000'\\\nä😀", "x".repeat(32 * 1_024), "ä".repeat(16 * 1_024)]) {
      const parts = messageParts("id", body);
      assert.ok(parts.every((part) => Buffer.byteLength(part) < 8_000));
      assert.equal(new Set(parts).size, parts.length);
      assert.deepEqual(read(new MessageReader(), ...parts), [{ type: "message", body }]);
    }
    assert.notDeepEqual(messageParts("a", "x"), messageParts("b", "x"));
  });

  it("of a message of which a part is lost are a gap, and cost no other message", () => {
    const [a, b, c] = messageParts("one", "1".repeat(16_000));
    const [single = ""] = messageParts("two", "2");
    const two: Signal = { type: "message", body: "2" };
    const reader = new MessageReader();
    assert.deepEqual(read(reader, a, c, single), [gap, two], "the middle");
    assert.deepEqual(read(reader, a, b, single), [gap, two], "the end");
    assert.deepEqual(read(reader, b, c, single), [gap, two], "the beginning");
    assert.deepEqual(read(reader, c, single), [gap, two]);
    assert.deepEqual(read(reader, a, a, b, c), [gap, { type: "message", body: "1".repeat(16_000) }]);
    for (const nonsense of [
      "",
      "x",
      "x 0 1",
      "x 1 1 eA==",
      "x -1 1 eA==",
      "x 0 65 eA==",
      "x y z eA==",
      "x 0 1 eA== x",
    ]) {
      assert.deepEqual(read(reader, nonsense), [], nonsense);
    }
  });
});

describe("the channels of Postgres", () => {
  it("have names of at most 63 bytes that differ wherever the store or the subscription does", () => {
    const watched = { changes: space("state", "", "n"), prefix: "a" };
    const names = [
      nameOf("s", { grants: true }),
      nameOf("t", { grants: true }),
      nameOf("s", { topic: "s" }),
      nameOf("s", { topic: "x".repeat(1_024) }),
      nameOf("s", watched),
      nameOf("s", { ...watched, changes: space("cache", "", "n") }),
    ];
    const channels = ["one", "two"].flatMap((store) => names.map((name) => new Channels(store).of(name)));
    assert.equal(new Set(channels).size, channels.length);
    for (const channel of channels) assert.match(channel, /^hf_[0-9a-f]{40}$/);
    assert.equal(nameOf("s", watched), nameOf("other", { ...watched, prefix: "b" }), "all who watch a space share one");
    assert.equal(watchedBy(nameOf("s", watched))?.id, watched.changes.id);
    assert.equal(watchedBy(nameOf("s", { topic: "c" })), undefined);
  });
});
