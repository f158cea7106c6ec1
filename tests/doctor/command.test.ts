import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { connect, examine } from "../../src/entries/index.ts";
import { memory } from "../../src/entries/memory.ts";
import { doctor, report } from "./support/doctor.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-doctor-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

describe("holdfast doctor", () => {
  for (const url of [
    "memory:",
    "null:",
    `file:${path.join(folder, "store")}`,
    `sqlite:${path.join(folder, "data.db")}`,
  ]) {
    it(`says what ${url.replace(/:.*/s, ":")} guarantees, in lines of 80 columns at most`, async () => {
      const { code, out, err } = await doctor(url);
      assert.deepEqual([code, err], [0, ""]);
      for (const part of [
        "what it guarantees",
        "two holders of one lock",
        "what that leaves open",
        "nothing is set wrong",
      ]) {
        assert.ok(out.includes(part), `no "${part}" in\n${out}`);
      }
      const long = out.split("\n").filter((line) => line.length > 80 && !line.includes(folder));
      assert.deepEqual(long, []);
    });
  }

  for (const [scheme, group] of [
    ["file", "directory"],
    ["sqlite", "file"],
  ] as const) {
    it(`looks at the data of ${scheme}:, and makes none`, async () => {
      const at = path.join(folder, `no-${scheme}-there`);
      const url = `${scheme}:${at}`;
      const { code, said } = await report(url);
      assert.equal(code, 0);
      assert.equal(said.findings[0]?.what, "no store is there yet");
      assert.ok(!existsSync(at));

      const hf = await connect(url);
      await hf.state("orders").save("1", { paid: true });
      await hf.close();
      const after = (await report(url)).said;
      assert.ok(Number(after.facts[group]?.["data file"]) > 0);
      assert.equal(after.roundTrips[0]?.count, 50);
      assert.equal(after.capabilities.durability, "disk");
      assert.deepEqual(new Set(after.findings.map(({ level }) => level)), new Set(["fine"]));
    });
  }

  it("says the same to machines", async () => {
    const { code, said } = await report("memory:");
    assert.equal(code, 0);
    assert.deepEqual(
      [said.url, said.ok, said.backend, said.capabilities.exclusion],
      ["memory:", true, "memory", "exact"],
    );
    assert.ok(said.leavesOpen.length > 0);
    const times = said.roundTrips[0];
    assert.ok(times && times.min <= times.median && times.median <= times.p99);
  });

  it("exits with 2 for what it cannot make sense of, and quotes no password", async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /needs the URL/],
      [["memory:", "null:"], /one URL/],
      [["memory:", "--fast"], /--fast/],
      [["memory:", "--timeout", "soon"], /timeout/],
      [["redis://user:top@secret@host"], /two @/],
      [["redis://user:topsecret@localhost/x"], /database/],
      [["redis://:topsecret@localhost?use=nothing"], /use must be/],
      [["other://localhost"], /scheme is unknown/],
    ];
    for (const [args, message] of wrong) {
      const { code, out, err } = await doctor(...args);
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, message);
      assert.doesNotMatch(err, /secret/);
    }
  });

  it("exits with 3 where nobody answers, and quotes no password", async () => {
    const closed = createServer();
    await once(closed.listen(0, "127.0.0.1"), "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const url = `redis://user:topsecret@127.0.0.1:${port}`;
    const text = await doctor(url, "--timeout", "2s");
    assert.deepEqual([text.code, text.out], [3, ""]);
    assert.match(text.err, /127\.0\.0\.1/);
    const json = await doctor(url, "--timeout", "2s", "--json");
    assert.equal(json.code, 3);
    const { ok, code } = JSON.parse(json.out) as { ok: boolean; code: string };
    assert.deepEqual([ok, code], [false, "UNAVAILABLE"]);
    assert.doesNotMatch(text.err + json.out + json.err, /topsecret/);
  });

  it("exits with 3 where a server takes connections and says nothing", async () => {
    const silent = createServer();
    await once(silent.listen(0, "127.0.0.1"), "listening");
    const { port } = silent.address() as AddressInfo;
    try {
      const { code } = await doctor(`redis://127.0.0.1:${port}`, "--timeout", "500ms");
      assert.equal(code, 3);
    } finally {
      silent.close();
    }
  });

  it("has its help", async () => {
    const { code, out } = await doctor("--help");
    assert.equal(code, 0);
    assert.match(out, /Exit codes: 0 .* 1 .* 2 .* 3 /s);
  });
});

describe("examine", () => {
  it("takes a backend that was made, and leaves it open", async () => {
    const backend = memory();
    const found = await examine(backend);
    assert.equal(found.backend, "memory");
    const hf = await connect(backend);
    await hf.state("orders").save("1", 1);
    await hf.close();
    await backend.close();
  });

  it("refuses what connect refuses", async () => {
    await assert.rejects(examine("./data"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(examine("memory:", { timeout: 0 }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(examine({} as never), { code: "INVALID_ARGUMENT" });
  });
});
