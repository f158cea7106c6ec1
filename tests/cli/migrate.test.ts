import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { migrate } from "../../src/entries/index.ts";
import { memory } from "../../src/entries/memory.ts";
import { command } from "../doctor/support/doctor.ts";

describe("holdfast migrate", () => {
  it("exits with 2 for what it cannot make sense of, and quotes no password", async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /needs the URL/],
      [["memory:", "null:"], /one URL/],
      [["memory:", "--fast"], /--fast/],
      [["memory:", "--timeout", "soon"], /timeout/],
      [["memory:"], /the memory backend has no tables/],
      [["memory:", "--print"], /the memory backend has no tables/],
      [["redis://user:topsecret@127.0.0.1:1", "--print"], /the redis backend has no tables/],
      [["redis://user:top@secret@host"], /two @/],
      [["other://localhost"], /scheme is unknown/],
    ];
    for (const [args, message] of wrong) {
      const { code, out, err } = await command("migrate", ...args);
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, message);
      assert.doesNotMatch(err, /secret/);
    }
  });

  it("says so to machines", async () => {
    const { code, out } = await command("migrate", "memory:", "--json");
    assert.equal(code, 2);
    const { url, ok, code: why } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual([url, ok, why], ["memory:", false, "UNSUPPORTED"]);
  });

  it("has its help", async () => {
    for (const args of [
      ["migrate", "--help"],
      ["help", "migrate"],
    ]) {
      const { code, out } = await command(...args);
      assert.equal(code, 0);
      assert.match(out, /--print .*\nExit codes: 0 .* 2 .* 3 /s);
      assert.deepEqual(
        out.split("\n").filter((line) => line.length > 120),
        [],
      );
    }
    assert.match((await command("help")).out, /holdfast migrate URL/);
  });
});

describe("migrate", () => {
  it("refuses what has no tables, and leaves it open", async () => {
    const backend = memory();
    await assert.rejects(migrate(backend), { code: "UNSUPPORTED" });
    await backend.open();
    await backend.close();
    await assert.rejects(migrate("./data"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(migrate(backend, { timeout: 0 }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(migrate({} as never), { code: "INVALID_ARGUMENT" });
  });
});
