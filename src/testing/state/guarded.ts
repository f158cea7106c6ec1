import assert from "node:assert/strict";
import { memoryBackend } from "../../backends/memory/index.ts";
import { Instance } from "../../client/index.ts";
import { transact, type StateStore } from "../../state/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import {
  declaring,
  floors,
  guards,
  type HeldLease,
  instanceOf,
  instanceOn,
  leaseOf,
  rejects,
  storeOn,
  transacts,
} from "./client.ts";

interface Guarded {
  readonly instance: Instance;
  readonly store: StateStore<number>;
}

function guarded(context: CaseContext): Guarded {
  const instance = instanceOf(context);
  return { instance, store: storeOn<number>(instance) };
}

/** Every write that takes a lease, on the key `k`, which holds 1. */
function writes(
  { instance, store }: Guarded,
  lease: HeldLease,
): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ["save", () => store.save("k", 2, { lease })],
    ["saveMany", () => saveOne(store, lease)],
    ["update", () => store.update("k", (n) => n + 1, { lease })],
    ["upsert", () => store.upsert("k", (n) => (n ?? 0) + 1, { lease })],
    ["delete", () => store.delete("k", { lease })],
    ["touch", () => store.touch("k", "1h", { lease })],
    ["take", () => store.take("k", { lease })],
    ["loadEntry", () => store.loadEntry("k", { lease })],
    ["transact", () => transact(instance, (tx) => tx.save(store, "k", 5), { lease })],
  ];
}

/** `saveMany` of one entry; its one outcome is thrown. */
async function saveOne(store: StateStore<number>, lease: HeldLease): Promise<void> {
  try {
    await store.saveMany([["k", 2]], { lease });
  } catch (error) {
    const { outcomes } = error as { outcomes?: readonly { error: Error }[] };
    throw outcomes?.[0]?.error ?? error;
  }
}

export const guardedCases: readonly Case[] = [
  {
    title: "every write under a lease succeeds while it is held, and is refused once it is lost",
    proves: "locks 3: a guarded write",
    when: guards,
    async run(context) {
      const one = guarded(context);
      const { instance, store } = one;
      const held = await leaseOf(instance, ["{k}lock"]);
      for (const [what, write] of writes(one, held)) {
        await store.save("k", 1);
        await write().catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
      }
      await held.lose();
      await store.save("k", 1);
      const { version } = (await store.loadEntry("k")) ?? {};
      for (const [what, write] of writes(one, held)) await rejects(write(), "FENCED", what);
      assert.equal((await store.loadEntry("k"))?.version, version, "nothing was written");
      assert.equal(held.began, held.ended.length, "a release would wait for no operation any more");
      assert.ok(held.began >= 14 && held.ended.every((indeterminate) => !indeterminate));
    },
  },
  {
    title: "a lease that expired at the store guards no more, though its holder does not know",
    proves: "locks 3: expiry is checked in the same group",
    when: guards,
    async run(context) {
      const { instance, store } = guarded(context);
      const lease = await leaseOf(instance, ["{k}lock"], { ttl: 8 * context.unit });
      await store.save("k", 1, { lease });
      await context.place.elapse(8 * context.unit + context.unit / 2);
      await rejects(store.save("k", 2, { lease }), "FENCED");
      assert.equal(await store.load("k"), 1);
    },
  },
  {
    title: "a lease on several keys guards only while all of them are held",
    proves: "locks 3: every lock of the lease",
    when: guards,
    async run(context) {
      const { instance, store } = guarded(context);
      const lease = await leaseOf(instance, ["{k}a", "{k}b"]);
      await store.save("k", 1, { lease });
      await transact(instance, async (tx) => tx.save(store, "k", ((await tx.load(store, "k")) ?? 0) + 1), { lease });
      await lease.lose();
      await leaseOf(instance, ["{k}b"]);
      await rejects(store.save("k", 9, { lease }), "FENCED");
      assert.equal(await store.load("k"), 2);
    },
  },
  {
    title: "a lease that its holder knows to be over is refused before anything is sent",
    proves: "locks 5: checked synchronously",
    when: guards,
    async run(context) {
      const one = guarded(context);
      const lease = await leaseOf(one.instance, ["{k}lock"]);
      await one.store.save("k", 1);
      lease.over = true;
      for (const [what, write] of writes(one, lease)) await rejects(write(), "FENCED", what);
      assert.deepEqual([lease.began, await one.store.load("k")], [0, 1]);
    },
  },
  {
    title: "a transaction under a lease writes all or nothing",
    proves: "locks 3: in the same atomic group",
    when: (capabilities) => guards(capabilities) && transacts(capabilities),
    async run(context) {
      const { instance, store } = guarded(context);
      const lease = await leaseOf(instance, ["{k}lock"]);
      const move = async (): Promise<void> =>
        transact(
          instance,
          async (tx) => {
            tx.save(store, "{k}a", ((await tx.load(store, "{k}a")) ?? 10) - 1);
            tx.save(store, "{k}b", ((await tx.load(store, "{k}b")) ?? 0) + 1);
          },
          { lease },
        );
      await move();
      await lease.lose();
      await rejects(move(), "FENCED");
      assert.deepEqual(
        [...(await store.loadMany(["{k}a", "{k}b"]))],
        [
          ["{k}a", 9],
          ["{k}b", 1],
        ],
      );
    },
  },
  {
    title: "a lease of another instance, of a semaphore or of nothing cannot guard",
    proves: "locks 3: InvalidArgumentError",
    when: guards,
    async run(context) {
      const one = guarded(context);
      const leases: readonly (readonly [string, unknown])[] = [
        ["of another instance", await leaseOf(instanceOf(context), ["{k}lock"])],
        ["of a semaphore", await leaseOf(one.instance, ["{k}shared"], { exclusive: false })],
        ["of nothing", {}],
        ["null", null],
        ["text", "lease"],
      ];
      for (const [whose, lease] of leases) {
        for (const [what, write] of writes(one, lease as HeldLease)) {
          await rejects(write(), "INVALID_ARGUMENT", `${what} with a lease ${whose}`);
        }
      }
      assert.equal(await one.store.load("k"), undefined);
    },
  },
  {
    title: "a lease of another server guards by the highest fence that the entry has seen",
    proves: "locks 3: another domain",
    when: floors,
    async run(context) {
      const one = guarded(context);
      const { store } = one;
      const locks = new Instance(memoryBackend({}));
      const old = await leaseOf(locks, ["k"]);
      await store.save("k", 1, { lease: old });
      await old.lose();
      const next = await leaseOf(locks, ["k"]);
      await store.save("k", 2, { lease: old });
      assert.equal(await store.load("k"), 2, "a later holder has not touched the entry yet");
      assert.equal((await store.loadEntry("k", { lease: next }))?.value, 2);
      for (const [what, write] of writes(one, old)) await rejects(write(), "FENCED", what);
      assert.equal(await store.load("k"), 2);
      await store.delete("k", { lease: next });
      await rejects(store.save("k", 3, { lease: old, if: { absent: true } }), "FENCED");
      await store.save("k", 4);
      await rejects(
        store.update("k", (n) => n + 1, { lease: old }),
        "FENCED",
      );
      await transact(one.instance, async (tx) => tx.update(store, "k", (n) => n + 1), { lease: next });
      assert.equal(await store.load("k"), 5);
    },
  },
  {
    title: "a lease of another server must be on the entry's own name and key",
    proves: "locks 3: another domain",
    when: floors,
    async run(context) {
      const one = guarded(context);
      const locks = new Instance(memoryBackend({}));
      const leases: readonly (readonly [string, HeldLease])[] = [
        ["of another key", await leaseOf(locks, ["other"])],
        ["of another name", await leaseOf(locks, ["k"], { name: "others" })],
      ];
      for (const [whose, lease] of leases) {
        for (const [what, write] of writes(one, lease)) {
          await rejects(write(), "INVALID_ARGUMENT", `${what} with a lease ${whose}`);
        }
      }
      const both = await leaseOf(locks, ["k", "l"]);
      await one.store.saveMany(
        [
          ["k", 1],
          ["l", 1],
        ],
        { lease: both },
      );
      assert.equal((await one.store.loadMany(["k", "l"])).size, 2);
      await one.store.save("m", 1);
      await rejects(one.store.deleteMany(["k", "m"], { lease: both }), "INVALID_ARGUMENT");
      if (context.capabilities.list) await rejects(one.store.clear({ lease: both }), "INVALID_ARGUMENT");
      assert.equal((await one.store.loadMany(["k", "l", "m"])).size, 3, "a key that it does not cover refuses all");
    },
  },
  {
    title: "where guarded writes are not declared, every one is refused",
    proves: "capabilities: guard",
    async run(context) {
      const instance = instanceOn(declaring(context.place.backend(), { guard: "none" }));
      const store = storeOn<number>(instance);
      const lease = await leaseOf(new Instance(memoryBackend({})), ["k"]);
      for (const [what, write] of writes({ instance, store }, lease)) await rejects(write(), "UNSUPPORTED", what);
      assert.equal(await store.load("k"), undefined);
    },
  },
];
