import assert from "node:assert/strict";
import { connect } from "../../../../src/entries/index.ts";
import type { Backend } from "../../../../src/port/index.ts";

/** Keys that a server may take for others, or for something of SQL. */
export const oddKeys = [
  "a",
  "A",
  "ä",
  "a\u0308",
  "a ",
  "a  ",
  "a\0",
  "a\0b",
  "a'",
  'a"',
  "a`",
  "a\\",
  "a\\'",
  "a?",
  ":a",
  "@a",
  "%",
  "_",
  "--",
  "/*",
  "\u{1f600}",
  "\n\r\t\u001a",
  "x'61'",
  "';SELECT 1;--",
];

/** Every byte, and what begins like something else in many character sets. */
export const oddBytes = Uint8Array.from([...Array(256).keys(), 0xbf, 0x27, 0xbf, 0x5c, 0x5c, 0x27, 0x81, 0x5c, 0, 39]);

/** Uses all that a backend has, with values that are easily misread. Closes it. */
export async function exercise(backend: Backend, prefix = "x"): Promise<void> {
  const hf = await connect(backend, { service: `odd ${prefix}`, timeout: "20s" });
  try {
    const values = hf.state("values");
    await Promise.all(oddKeys.map(async (key) => values.save(key, { key, bytes: oddBytes, at: new Date(0) })));
    for (const key of oddKeys) {
      assert.deepEqual(await values.load(key), { key, bytes: oddBytes, at: new Date(0) }, JSON.stringify(key));
    }
    assert.equal((await values.loadMany(oddKeys)).size, oddKeys.length);
    const listed = new Set<string>();
    for await (const key of values.keys()) listed.add(key);
    assert.deepEqual(listed, new Set(oddKeys));
    await Promise.all(oddKeys.map(async (key) => values.update(key, (old) => ({ ...(old as object), key: [key] }))));
    assert.deepEqual(await values.load(oddKeys[8] as string), {
      key: ["a'"],
      bytes: oddBytes,
      at: new Date(0),
    });

    const lock = hf.lock("locks");
    const lease = await lock.acquire("a'b\0", { ttl: "20s" });
    const other = await lock.tryAcquire("a'b\0");
    assert.equal(other, undefined);
    await values.save("guarded", 1, { lease });
    await lock.forceRelease("a'b\0", "to see");
    await assert.rejects(values.save("guarded", 2, { lease }), /./);
    await hf.transact(async (tx) => {
      tx.save(values, "one", (await tx.load(values, "guarded")) ?? 0);
      tx.delete(values, "guarded");
    });
    assert.deepEqual([await values.load("one"), await values.has("guarded")], [1, false]);

    const cache = hf.cache<string>("cached", { ttl: "1h" });
    await cache.set("k", "v\\'\0", { tags: ["t'\0"] });
    assert.equal(await cache.get("k"), "v\\'\0");
    await cache.invalidateTags(["t'\0"]);
    assert.equal(await cache.get("k"), undefined);

    const entry = await values.loadEntry("one");
    assert.equal(entry?.expiresAt, undefined);
    await values.touch("one", "1h");
    const left = ((await values.loadEntry("one"))?.expiresAt ?? 0) - Date.now();
    assert.ok(left > 3_540_000 && left <= 3_610_000, String(left));
    assert.equal(await values.clear(), oddKeys.length + 1);
  } finally {
    await hf.close();
    await backend.close();
  }
}
