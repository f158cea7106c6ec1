import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space } from "../../src/base/keys.ts";
import { Cache } from "../../src/cache/index.ts";
import { Instance } from "../../src/client/index.ts";
import type { Group, StoredRecord } from "../../src/port/index.ts";
import { remote, stand } from "./support.ts";

const stamps = space("stamp", "", "values");

describe("stamps", () => {
  it("outlive the entries that bear them", async () => {
    const { cache, time } = stand();
    const values = cache<string>();
    await values.set("short", "v", { tags: ["t"] });
    await time.advance("23h");
    await values.set("days", "v", { tags: ["t"], ttl: "3d" });
    await values.getOrSet("loaded", ({ set }) => (set({ tags: ["late"], ttl: "5d" }), "v"));
    await time.advance("71h");
    assert.equal(await values.get("days"), "v");
    await values.set("always", "v", { tags: ["t"], ttl: "never" });
    await time.advance("2d");
    assert.equal(await values.get("loaded"), "v");
    await time.advance("1000d");
    assert.equal(await values.get("always"), "v");
    await values.invalidateTags(["t"]);
    assert.equal(await values.get("always"), undefined);
  });

  it("end when nothing bears them any more", async () => {
    const { cache, time, records } = stand();
    const values = cache<number>();
    for (let i = 0; i < 100; i++) await values.set("k", i, { tags: [`tag ${i}`] });
    await values.invalidateTags(["tag 1"]);
    assert.equal((await records(stamps)).length, 102);
    await time.advance("25h");
    assert.equal((await records(stamps)).length, 0);
    assert.equal(await values.get("k"), undefined);
  });

  it("keep their version when they are armed anew, and are not armed by every write", async () => {
    const { cache, time, records } = stand();
    const values = cache<string>();
    await values.set("first", "v", { ttl: "20h" });
    const ofCache = async (): Promise<StoredRecord | undefined> =>
      (await records(stamps)).find(({ key }) => key === "c");
    const before = await ofCache();
    for (let i = 0; i < 10; i++) {
      await time.advance("1h");
      await values.set("other", "v");
    }
    assert.deepEqual(await ofCache(), before);
    await values.set("other", "v", { ttl: "20h" });
    const after = await ofCache();
    assert.ok(before && after?.id === before.id);
    assert.ok((after.expiresAt ?? 0) > (before.expiresAt ?? Infinity));
    assert.equal(await values.get("first"), "v");
  });

  it("are armed once for all who write at the same time, and for the longest of their lives", async () => {
    const { backend, time } = stand();
    const armed: string[] = [];
    const onExecute = (groups: readonly Group[]): void => {
      for (const { ops } of groups)
        for (const op of ops)
          if (op.op === "set" && op.key.space.id === stamps.id && op.if && "id" in op.if) armed.push(op.key.key);
    };
    const values = new Cache<number>(new Instance(remote(backend(), { onExecute })), "values");
    const ttls = ["2d", "never", "30d"] as const;
    await values.set("first", 0, { tags: ["t"], ttl: "1m" });
    assert.deepEqual(armed, []);
    await Promise.all(
      Array.from({ length: 99 }, (_, i) => values.set(`k${i}`, i, { tags: ["t"], ttl: ttls[i % 3] as "never" })),
    );
    assert.ok(armed.length <= 4, `armed ${armed.join()}`);
    await time.advance("1000d");
    assert.deepEqual([await values.get("k0"), await values.get("k1")], [undefined, 1]);
  });
});
