import assert from "node:assert/strict";
import { it } from "node:test";
import { Changes } from "../../src/testing/state/client.ts";
import { FaultyLine, settled } from "./support.ts";

void it("a watch waits for a store that is away, and tells of it", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const store = line.store<number>({}, instance);
  const near = line.near<number>();
  const errors: unknown[] = [];
  instance.events.on("error", ({ what, error }) => errors.push(what, (error as { code?: string }).code));
  const changes = await Changes.of(store);
  line.next("refused", "dropped");
  await near.save("k", 1);
  const next = changes.next();
  await line.time.advance("2s");
  const change = await next;
  assert.deepEqual(change?.type === "save" && change.entry.value, 1);
  assert.deepEqual(errors, [
    "the watch of the store entries",
    "UNAVAILABLE",
    "the watch of the store entries",
    "UNAVAILABLE",
  ]);
  await changes.stop();
});

void it("a watch that waits for a store ends at once when it is stopped", async () => {
  const line = new FaultyLine();
  const changes = await Changes.of(line.store<number>());
  line.next("refused");
  await line.near<number>().save("k", 1);
  const next = changes.next();
  await settled();
  await changes.stop();
  assert.equal(await next, undefined);
});

void it("a record that cannot be read ends a watch with its error", async () => {
  const line = new FaultyLine();
  const changes = await Changes.of(line.store<number>());
  await line.store<number>({ version: 2 }).save("k", 1);
  await assert.rejects(changes.next(), { code: "SCHEMA_VERSION", key: "k" });
  assert.equal(await changes.next(), undefined);
});

void it("a watch that could not start in time listens no more", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const { signals } = instance.session;
  assert.ok(signals);
  let stopped = 0;
  let live: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (live = resolve));
  Object.assign(signals, {
    subscribe: async () => {
      await gate;
      return () => stopped++;
    },
  });
  const store = line.store<number>({}, instance);
  await store.load("k");
  const late = assert.rejects(store.watch({ timeout: "1s" }), { code: "UNAVAILABLE" });
  await line.time.advance("2s");
  await late;
  live();
  await settled();
  assert.equal(stopped, 1);
});

void it("a watch that is stopped tells of nothing more, also of what it has read already", async () => {
  for (const initial of [false, true]) {
    const store = new FaultyLine().store<number>();
    const controller = new AbortController();
    if (initial) for (let i = 0; i < 5; i++) await store.save(`k${i}`, i);
    const changes = await Changes.of(store, { initial, signal: controller.signal });
    if (!initial) for (let i = 0; i < 5; i++) await store.save(`k${i}`, i);
    assert.ok(await changes.next());
    controller.abort();
    assert.equal(await changes.next(), undefined);
  }
});
