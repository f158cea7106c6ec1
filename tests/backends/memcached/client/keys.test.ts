import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { wireKey } from "../../../../src/backends/memcached/client/keys.ts";

/** What the server keeps the item under. */
const stored = ({ token, flag }: ReturnType<typeof wireKey>): string =>
  (flag === "" ? Buffer.from(token) : Buffer.from(token, "base64")).toString("latin1");

describe("keys on the wire", () => {
  it("are as the protocol takes them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (key) => {
        const { token } = wireKey(key);
        assert.match(token, /^[!-~]{1,250}$/);
      }),
    );
  });

  it("differ where the keys do, also from hashes that somebody has as keys", () => {
    const long = "x".repeat(251);
    const keys = ["a", "a ", "\u0000", "é", "e\u0301", "", " ", long, `${long}y`, "#", "a\r\nb", "Zm9v", "foo"];
    const hashes = keys.map((key) => stored(wireKey(key)));
    const all = [...keys, ...hashes.filter((one) => one.startsWith("#")), ...keys.map((key) => wireKey(key).token)];
    const distinct = new Set(all);
    assert.equal(new Set([...distinct].map((key) => stored(wireKey(key)))).size, distinct.size);
  });

  it("are plain where they can be, then in base64, then hashed", () => {
    assert.deepEqual(wireKey("orders:42"), { token: "orders:42", flag: "" });
    assert.deepEqual(wireKey("a b"), { token: "YSBi", flag: " b" });
    assert.match(wireKey("x".repeat(251)).token, /^#[\w-]{43}$/);
    assert.match(wireKey("é".repeat(100)).token, /^#[\w-]{43}$/);
    assert.equal(wireKey("x".repeat(250)).token.length, 250);
  });

  it("are refused where they are no text", () => {
    assert.throws(() => wireKey("\ud800"), { code: "INVALID_ARGUMENT" });
    assert.throws(() => wireKey(`#${"x".repeat(300)}\udc00`), { code: "INVALID_ARGUMENT" });
  });
});
