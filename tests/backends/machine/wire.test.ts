import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchWriter } from "../../../src/backends/machine/batch-writer.ts";
import type { Command } from "../../../src/backends/machine/commands.ts";
import { BatchReader, type Load } from "../../../src/backends/machine/wire.ts";
import type { Group, Operation } from "../../../src/port/index.ts";
import { lock, record } from "./support/processes.ts";

function loadOf(group: Group): Load {
  const writer = new BatchWriter();
  writer.group(group, "session");
  const reader = new BatchReader(Buffer.from(writer.memory, 0, writer.length), new Uint8Array(writer.memory));
  return reader.load(reader.groups(), () => 1_000_000);
}

const set: Operation = { op: "set", key: record("a"), id: "1", value: "v" };
const remove: Operation = { op: "delete", key: record("b") };
const release: Operation = { op: "release", lock: lock("l"), owner: "o" };
const touch: Operation = { op: "touch", key: record("c") };

test("room is taken for values wherever in a group they are written, and whatever guards it", () => {
  for (const ops of [[set], [remove, set], [release, set], [remove, touch]]) assert.equal(loadOf({ ops }).values, true);
  // Of every length that is also the code of an operation.
  for (let length = 0; length < 256; length++) {
    const guards = [{ lock: lock("l".repeat(length)), owner: "o", grant: 1 }];
    assert.equal(loadOf({ guards, ops: [set] }).values, true, `a key of ${length}`);
    assert.equal(loadOf({ guards, ops: [remove] }).values, false, `a key of ${length}`);
  }
  for (const ops of [[remove], [release], [{ op: "check", key: record("a"), if: { id: "1" } } as const, remove]]) {
    assert.equal(loadOf({ ops }).values, false);
  }
});

test("room is taken for all that a command may change", () => {
  const opsOf = (command: Command): number => {
    const writer = new BatchWriter();
    writer.command(command);
    const reader = new BatchReader(Buffer.from(writer.memory, 0, writer.length), new Uint8Array(writer.memory));
    const { ops, values } = reader.load(reader.groups(), () => 0);
    assert.equal(values, false, "also on a full disk");
    return ops;
  };
  assert.ok(opsOf({ do: "sweep", most: 100 }) >= 100);
  assert.ok(opsOf({ do: "pass", locks: Array.from({ length: 64 }, (_, i) => `l${i}`) }) >= 64);
  assert.ok(opsOf({ do: "bury", peer: "p" }) >= 256);
});

test("room is taken for the records that a group touches", () => {
  assert.ok(loadOf({ ops: [remove, touch] }).bytes > 1_000_000);
  assert.ok(loadOf({ ops: [remove, set] }).bytes < 1_000);
});
