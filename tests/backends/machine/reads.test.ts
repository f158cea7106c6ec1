import assert from "node:assert/strict";
import { test } from "node:test";
import { Reads } from "../../../src/backends/machine/reads.ts";
import type { ReadableTables } from "../../../src/backends/machine/tables.ts";
import { keyId } from "../../../src/base/keys.ts";
import { lock, record } from "./support/processes.ts";

const busy = new Error("busy");
const broken = new Error("broken");

function readsThat(fail: Error): Reads {
  const begin = (): never => {
    throw fail;
  };
  const tables = { begin, end: () => undefined, isBusy: (error: unknown) => error === busy };
  return new Reads("test", tables as unknown as ReadableTables, 1);
}

const get = { ops: [{ op: "get", key: record("k") }] } as const;
const page = { space: record("k").space, prefix: "", limit: 10 };

test("what cannot be read for a moment has no answer yet, and a lock that cannot is to be looked at", () => {
  const reads = readsThat(busy);
  assert.deepEqual([reads.group(get), reads.page(page)], [undefined, undefined]);
  assert.deepEqual([reads.passesIn(keyId(lock("l"))), reads.snapshot(() => 1)], [0, undefined]);
});

test("what is broken is told to those who call, and to no timer", () => {
  const reads = readsThat(broken);
  assert.throws(() => reads.group(get), broken);
  assert.throws(() => reads.page(page), broken);
  assert.deepEqual([reads.passesIn(keyId(lock("l"))), reads.snapshot(() => 1)], [0, undefined]);
});
