import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space, type Key } from "../../../src/base/keys.ts";
import { refuse } from "../../../src/backends/common/failures.ts";
import { checkMessage, checkTopic } from "../../../src/backends/common/messages.ts";
import { checkLimit, cursorAfter, lastOf } from "../../../src/backends/common/pages.ts";
import type { Group, Operation, Payload } from "../../../src/port/index.ts";

const limits = { backend: "test", maxGroup: 8, maxValue: 10 };
const key = (name: string): Key => ({ space: space("state", "s", "records"), key: name });
const get = (name: string): Operation => ({ op: "get", key: key(name) });
const set = (value: Payload): Operation => ({ op: "set", key: key("k"), id: "1", value });

const why = (group: Group): string | undefined => {
  const failed = refuse(group, limits);
  if (failed) assert.deepEqual([failed.sent, (failed.error as { code?: unknown }).code], [false, "INVALID_ARGUMENT"]);
  return failed?.error.message;
};

describe("what is refused before it is tried", () => {
  it("a group of too many keys, its guards' locks included", () => {
    const names = Array.from({ length: 8 }, (_, i) => `${i}`);
    const guards = [{ lock: { space: space("lock", "s", "locks"), key: "0" }, owner: "o", grant: 1 }];
    assert.equal(why({ ops: names.map(get) }), undefined);
    assert.equal(why({ guards, ops: names.map(get) }), "a group has at most 8 keys");
    const same = names.flatMap((name): Operation[] => [get(name), { op: "delete", key: key(name) }]);
    assert.equal(why({ ops: same }), undefined, "a key counts once");
  });

  it("a value of too many bytes", () => {
    for (const value of ["1234567890", "12345678é", new Uint8Array(10)])
      assert.equal(why({ ops: [set(value)] }), undefined);
    for (const value of ["12345678901", "123456789é", "12345678\ud800", new Uint8Array(11)]) {
      assert.equal(why({ ops: [get("a"), set(value)] }), "a value has at most 10 bytes");
    }
  });

  it("an acquire that waits and is not alone", () => {
    const lock = { space: space("lock", "s", "locks"), key: "k" };
    const acquire = { op: "acquire", lock, owner: "o", mode: "exclusive", ttl: 1, info: "" } as const;
    const wait = { claimMs: 1 };
    assert.equal(why({ ops: [{ ...acquire, wait }] }), undefined);
    assert.equal(why({ ops: [get("a"), acquire] }), undefined);
    assert.match(why({ ops: [get("a"), { ...acquire, wait }] }) ?? "", /must be the only operation/);
  });

  it("a message or a topic that is too long or not well formed", () => {
    checkMessage("é".repeat(16 * 1024), "test");
    checkTopic("x".repeat(1_024), "test");
    for (const refused of [
      () => checkMessage(`${"é".repeat(16 * 1024)}x`, "test"),
      () => checkMessage("\udc00", "test"),
      () => checkTopic("x".repeat(1_025), "test"),
      () => checkTopic("\ud800", "test"),
    ]) {
      assert.throws(refused, { code: "INVALID_ARGUMENT", backend: "test" });
    }
  });

  it("a page's limit, and a cursor that is not of this space and prefix", () => {
    const query = { space: key("").space, prefix: "a", limit: 1_000 };
    checkLimit(query, "test");
    checkLimit({ ...query, limit: 10_000, keysOnly: true }, "test");
    for (const limit of [0, 1.5, -1, 1_001, Number.NaN]) {
      assert.throws(() => checkLimit({ ...query, limit }, "test"), { code: "INVALID_ARGUMENT" });
    }
    assert.throws(() => checkLimit({ ...query, limit: 10_001, keysOnly: true }, "test"), { code: "INVALID_ARGUMENT" });
    const id = `${query.space.id}aé`;
    assert.equal(lastOf(query, "test"), undefined);
    assert.equal(lastOf({ ...query, cursor: cursorAfter(id) }, "test"), id);
    for (const cursor of ["", "?", cursorAfter(`${query.space.id}b`), `${cursorAfter(id)}=`]) {
      assert.throws(() => lastOf({ ...query, cursor }, "test"), { code: "INVALID_ARGUMENT" });
    }
  });
});
