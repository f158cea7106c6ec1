import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { it } from "node:test";
import type { OperationMessage } from "../../src/client/index.ts";
import { transact } from "../../src/state/index.ts";
import { all } from "../../src/testing/state/client.ts";
import { FaultyLine } from "./support.ts";

void it("every call is published with its outcome, and with no value", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const store = line.store<string>({ service: "shop" }, instance);
  const messages: OperationMessage[] = [];
  const listen = (message: unknown): void => void messages.push(message as OperationMessage);
  channel("holdfast:state").subscribe(listen);
  try {
    await store.save("secret", "secret");
    await store.load("secret");
    await store.loadEntry("secret");
    await store.loadMany(["secret"]);
    await store.loadEntries(["secret"]);
    await store.saveMany([["secret", "secret"]]);
    await store.update("secret", (value) => value);
    await store.upsert("secret", (value) => value ?? "secret");
    await store.listPage();
    await all(store.list());
    await (await store.watch())[Symbol.asyncIterator]().return?.();
    await transact(instance, async (tx) => tx.save(store, "secret", "secret"));
    await assert.rejects(store.save("secret", "secret", { if: { absent: true } }));
    await assert.rejects(transact(instance, () => Promise.reject(new Error("secret"))));
    await store.delete("secret");
  } finally {
    channel("holdfast:state").unsubscribe(listen);
  }
  await store.load("secret");
  assert.deepEqual(
    messages.map(({ operation, outcome }) => (outcome === "ok" ? operation : `${operation}: ${outcome}`)),
    [
      "save",
      "load",
      "loadEntry",
      "loadMany",
      "loadEntries",
      "saveMany",
      "update",
      "upsert",
      "listPage",
      "list",
      "watch",
      "transact",
    ].concat(["save: CONFLICT", "transact: error", "delete"]),
  );
  for (const { name, service, backend, operation, durationMs } of messages) {
    assert.deepEqual([name, service, backend], operation === "transact" ? ["", "", "far"] : ["entries", "shop", "far"]);
    assert.ok(durationMs >= 0);
  }
  assert.ok(!JSON.stringify(messages).includes("secret"));
});
