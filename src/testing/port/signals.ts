import assert from "node:assert/strict";
import { isHoldfastError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import type { Capabilities } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, keeps, lock, record } from "./client.ts";

const key = lock("k");
const long = 600_000;
const patient = { ttl: long, claimMs: long };

const pushes = (capabilities: Capabilities): boolean => excludes(capabilities) && capabilities.push;
const watches = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.watch !== "none";

export const signalCases: readonly Case[] = [
  {
    title: "a release tells the client that waits first, and nobody else",
    proves: "port: Signal granted",
    when: pushes,
    async run(context) {
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      const [first, second] = [await b.listen({ grants: true }), await c.listen({ grants: true })];
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "b", patient);
      await c.wait(key, "c", patient);
      await a.release(key, "a");
      const signal = await first.granted("b");
      assert.ok(signal.type === "granted" && signal.lock.key === "k" && signal.lock.space.id === key.space.id);
      const confirmed = await b.acquire(key, "b", { ttl: long });
      if (signal.grant !== undefined) assert.equal(signal.grant, confirmed, "the grant that was told is the grant");
      await b.release(key, "b");
      await second.granted("c");
      assert.ok(!second.signals.some((one) => one.type === "granted" && one.owner === "b"));
      assert.ok(!first.signals.some((one) => one.type === "granted" && one.owner === "c"));
    },
  },
  {
    title: "a waiter of the releasing client itself is told too",
    proves: "port: Signal granted",
    when: pushes,
    async run(context) {
      const client = Client.of(context);
      const heard = await client.listen({ grants: true });
      await client.acquire(key, "a", { ttl: long });
      await client.wait(key, "b", patient);
      await client.release(key, "a");
      await heard.granted("b");
    },
  },
  {
    title: "a steal tells the next waiter as well",
    proves: "port: passes the lock on as a release does",
    when: pushes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const heard = await b.listen({ grants: true });
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "b", patient);
      await a.steal(key);
      await heard.granted("b");
    },
  },
  {
    title: "expiry and a lapsed claim tell the next waiter, though nobody asks",
    proves: "port: passes the lock on as a release does",
    // A server runs nothing of ours when a lease ends: there it is the waiters who ask at that moment.
    when: (capabilities) => pushes(capabilities) && capabilities.clock === "machine",
    async run(context) {
      const { unit, place } = context;
      const [a, b] = [Client.of(context), Client.of(context)];
      const heard = await b.listen({ grants: true });
      await a.acquire(lock("expires"), "a", { ttl: 6 * unit });
      await b.wait(lock("expires"), "expires", patient);
      await place.elapse(6 * unit + 1);
      await heard.granted("expires");
      await a.acquire(lock("lapses"), "a", { ttl: long });
      await a.wait(lock("lapses"), "dead", { ttl: long, claimMs: 2 * unit });
      await b.wait(lock("lapses"), "lapses", patient);
      await a.release(lock("lapses"), "a");
      await place.elapse(2 * unit + 1);
      await heard.granted("lapses");
    },
  },
  {
    title: "whoever asks for a lock whose lease or claim has ended lets the next waiter know",
    proves: "port: passes the lock on as a release does",
    when: pushes,
    async run(context) {
      const { unit, place } = context;
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      const heard = await b.listen({ grants: true });
      await a.acquire(lock("expires"), "a", { ttl: 6 * unit });
      await b.wait(lock("expires"), "expires", patient);
      await place.elapse(6 * unit + 1);
      await c.refused("held", { ops: [acquire(lock("expires"), "c", { ttl: long })] });
      await heard.granted("expires");
      await a.acquire(lock("lapses"), "a", { ttl: long });
      await a.wait(lock("lapses"), "dead", { ttl: long, claimMs: 2 * unit });
      await b.wait(lock("lapses"), "lapses", patient);
      await a.release(lock("lapses"), "a");
      await place.elapse(2 * unit + 1);
      await c.wait(lock("lapses"), "c", patient);
      await heard.granted("lapses");
    },
  },
  {
    title: "all readers in front are told when a writer releases",
    proves: "port: release",
    when: pushes,
    async run(context) {
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      const [first, second] = [await b.listen({ grants: true }), await c.listen({ grants: true })];
      await a.acquire(key, "w", { ttl: long });
      await b.wait(key, "r1", { ...patient, mode: "shared" });
      await c.wait(key, "r2", { ...patient, mode: "shared" });
      await a.release(key, "w");
      await Promise.all([first.granted("r1"), second.granted("r2")]);
    },
  },
  {
    title: "a waiter that asks again from another client is told there",
    proves: "port: Subscription grants",
    when: pushes,
    async run(context) {
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      const heard = await c.listen({ grants: true });
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "moves", patient);
      await c.wait(key, "moves", patient);
      await a.release(key, "a");
      await heard.granted("moves");
      await c.acquire(key, "moves", { ttl: long });
      await a.refused("held", { ops: [acquire(key, "a", { ttl: long })] });
    },
  },
  {
    title: "every acknowledged change is told from when subscribe resolved",
    proves: "port: Signals.subscribe",
    when: watches,
    async run(context) {
      const [writer, watcher] = [Client.of(context), Client.of(context)];
      for (let round = 0; round < 5; round++) {
        const heard = await watcher.listen({ changes: record("any").space, prefix: `${round}.` });
        await writer.set(record(`${round}.first`), "v");
        await heard.changed(`${round}.first`);
        heard.stop();
      }
      const heard = await watcher.listen({ changes: record("any").space, prefix: "" });
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
      await Promise.all(keys.map(async (name) => writer.set(record(name), "v")));
      for (const name of keys) await heard.changed(name);
      heard.signals.length = 0;
      await writer.ok({ op: "delete", key: record("k7") });
      const signal = await heard.changed("k7");
      assert.ok(signal.type === "changed" && signal.key.space.id === record("any").space.id);
    },
  },
  {
    title: "changes are told of that space and prefix only, to every client, also the writer",
    proves: "port: Subscription changes",
    when: watches,
    async run(context) {
      const clients = [Client.of(context), Client.of(context)];
      const writer = clients[0] as Client;
      const space = record("any").space;
      const heard = await Promise.all(clients.map(async (client) => client.listen({ changes: space, prefix: "a%" })));
      await writer.set(record("a%", "elsewhere"), "v");
      for (const name of ["b", "a", "A%", "aX", "a%1"]) await writer.set(record(name), "v");
      for (const one of heard) {
        await one.changed("a%1");
        const told = one.signals.flatMap((signal) => (signal.type === "changed" ? [signal.key] : []));
        assert.ok(told.every((changed) => changed.key.startsWith("a%") && changed.space.id === space.id));
      }
    },
  },
  {
    title: "the expiry of a record is told",
    proves: "port: Signal changed",
    when: (capabilities) => watches(capabilities) && capabilities.watch === "log",
    async run(context) {
      const client = Client.of(context);
      await client.set(record("k"), "v", { ttl: 6 * context.unit });
      const heard = await client.listen({ changes: record("k").space, prefix: "" });
      await context.place.elapse(7 * context.unit);
      await heard.changed("k");
      assert.equal(await client.get(record("k")), undefined);
    },
  },
  {
    title: "the end of a record that has expired is told, though a write finds it before it was removed",
    proves: "port: Signal changed",
    when: watches,
    async run(context) {
      const client = Client.of(context);
      const names = ["deleted", "absent", "again", "set", "refused", "checked"];
      const ttl = 4 * context.unit;
      const sets = names.map((name) => ({ op: "set", key: record(name), id: drawId(), value: "v", ttl }) as const);
      await client.groups(sets.map((op) => ({ ops: [op] })));
      const heard = await client.listen({ changes: record("any").space, prefix: "" });
      await context.place.elapse(ttl + context.capabilities.ttlGranularity);
      const gone = { id: drawId() };
      const absent = { absent: true } as const;
      const outcomes = await client.groups([
        { ops: [{ op: "delete", key: record("deleted") }] },
        { ops: [{ op: "delete", key: record("absent"), if: absent }] },
        { ops: [{ op: "delete", key: record("again"), if: absent }] },
        { ops: [{ op: "delete", key: record("again") }] },
        { ops: [{ op: "set", key: record("set"), id: drawId(), value: "w", if: absent }] },
        { ops: [{ op: "delete", key: record("refused"), if: gone }] },
        { ops: [{ op: "check", key: record("checked"), if: gone }] },
      ]);
      const told = outcomes.map((outcome) => (outcome.ok ? outcome.results[0] : outcome.why));
      assert.deepEqual(told, [false, false, false, false, undefined, "conflict", "conflict"]);
      for (const name of names) await heard.changed(name);
    },
  },
  {
    title: "a message reaches every subscriber of its topic, whole, also the sender's own",
    proves: "port: Signals.publish",
    when: watches,
    async run(context) {
      const clients = [Client.of(context), Client.of(context), Client.of(context)];
      const sender = clients[0] as Client;
      const heard = await Promise.all(clients.map(async (client) => client.listen({ topic: "t:1" })));
      const bodies = ["", "ä😀\u0000'\"\\\n", "x".repeat(32 * 1_024)];
      await sender.session.signals?.publish("t:2", "of another topic");
      for (const body of bodies) await sender.session.signals?.publish("t:1", body);
      for (const one of heard) {
        for (const body of bodies) await one.message(body);
        assert.ok(!one.signals.some((signal) => signal.type === "message" && signal.body === "of another topic"));
      }
      await assert.rejects(
        async () => sender.session.signals?.publish("t:1", "ä".repeat(16 * 1_024 + 1)),
        (error) => isHoldfastError(error),
      );
    },
  },
  {
    title: "a subscription that was ended is told no more, the others are",
    proves: "port: the returned function ends it",
    when: watches,
    async run(context) {
      const client = Client.of(context);
      const [ended, goesOn] = [await client.listen({ topic: "t" }), await client.listen({ topic: "t" })];
      ended.stop();
      ended.stop();
      await client.session.signals?.publish("t", "after");
      await goesOn.message("after");
      assert.deepEqual(ended.signals, []);
    },
  },
  {
    title: "there are no signals where nothing is told",
    proves: "port: Session.signals",
    when: (capabilities) => !capabilities.push && capabilities.watch === "none",
    async run(context) {
      assert.equal(Client.of(context).session.signals, undefined);
    },
  },
];
