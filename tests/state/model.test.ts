import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { Instance } from "../../src/client/index.ts";
import { KEEP, REMOVE, StateStore, transact, type Transaction } from "../../src/state/index.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";

interface Row {
  readonly value: number;
  readonly version: string;
  /** By the virtual wall clock. */
  readonly until: number;
}

type Answer = "value" | "keep" | "remove";

type Step =
  | {
      readonly do: "save";
      readonly key: string;
      readonly value: number;
      readonly ttl: number | "never" | undefined;
      readonly if: "none" | "absent" | "current" | "old";
    }
  | {
      readonly do: "update" | "upsert";
      readonly key: string;
      readonly answer: Answer;
      readonly ttl: number | undefined;
    }
  | { readonly do: "delete"; readonly key: string; readonly if: "none" | "current" | "old" }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "transact"; readonly steps: readonly Step[]; readonly fails: boolean };

const storeTtl = 500;
const key = fc.constantFrom("a", "b", "c");
const ttl = fc.option(fc.integer({ min: 1, max: 800 }), { nil: undefined });

const save: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("save" as const),
  key,
  value: fc.integer(),
  ttl: fc.oneof(ttl, fc.constant("never" as const)),
  if: fc.constantFrom("none", "none", "absent", "current", "old"),
});
const change: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("update" as const, "upsert" as const),
  key,
  answer: fc.constantFrom<Answer>("value", "value", "keep", "remove"),
  ttl,
});
const remove: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("delete" as const),
  key,
  if: fc.constantFrom("none", "none", "current", "old"),
});
const advance: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("advance" as const),
  ms: fc.integer({ min: 1, max: 600 }),
});
const group: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("transact" as const),
  steps: fc.array(fc.oneof(save, change, remove), { maxLength: 6 }),
  fails: fc.boolean(),
});

/** The store as a plain map, and the versions that are no more. */
class Model {
  rows = new Map<string, Row>();
  readonly old = new Map<string, string>();
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get(at: string): Row | undefined {
    const row = this.rows.get(at);
    return row && row.until > this.#time.wall() ? row : undefined;
  }

  set(at: string, value: number, version: string, life: number | "never" | "keep"): void {
    const before = this.get(at);
    this.retire(at);
    const until = life === "never" ? Infinity : life === "keep" ? (before as Row).until : this.#time.wall() + life;
    this.rows.set(at, { value, version, until });
  }

  retire(at: string): void {
    const before = this.rows.get(at);
    if (before) this.old.set(at, before.version);
    this.rows.delete(at);
  }

  condition(at: string, which: string): { absent: true } | { version: string } | undefined {
    if (which === "absent") return { absent: true };
    if (which === "none") return undefined;
    return { version: (which === "old" ? this.old.get(at) : this.get(at)?.version) ?? "never" };
  }

  holds(at: string, condition: { absent: true } | { version: string } | undefined): boolean {
    if (!condition) return true;
    const row = this.get(at);
    return "absent" in condition ? row === undefined : row?.version === condition.version;
  }
}

function answerOf(answer: Answer, value: number | undefined): number | typeof KEEP {
  return answer === "keep" ? KEEP : answer === "remove" ? REMOVE : (value ?? 0) + 1;
}

/** What a transaction does: the same steps, without conditions. */
async function play(
  tx: Transaction,
  store: StateStore<number>,
  steps: readonly Step[],
  view: Map<string, number | undefined>,
): Promise<void> {
  for (const step of steps) {
    if (step.do === "save") {
      tx.save(store, step.key, step.value, { ttl: step.ttl });
      view.set(step.key, step.value);
    } else if (step.do === "delete") {
      tx.delete(store, step.key);
      view.set(step.key, undefined);
    } else if (step.do === "update" || step.do === "upsert") {
      const before = view.get(step.key);
      const entry = await tx[step.do](store, step.key, (n: number | undefined) => answerOf(step.answer, n), {
        ttl: step.ttl,
      });
      const called = before !== undefined || step.do === "upsert";
      const after =
        !called || step.answer === "keep" ? before : step.answer === "remove" ? undefined : (before ?? 0) + 1;
      assert.equal(entry?.value, after);
      view.set(step.key, after);
    }
    for (const [at, value] of view) assert.equal(await tx.load(store, at), value, `tx.load ${at}`);
  }
}

async function conflicts(work: Promise<unknown>, holds: boolean): Promise<unknown> {
  if (holds) return work;
  await assert.rejects(work, (error) => isHoldfastError(error, "CONFLICT"));
  return undefined;
}

class Run {
  readonly time = virtualTime();
  readonly model = new Model(this.time);
  readonly instances: readonly Instance[];
  readonly stores: readonly StateStore<number>[];
  #turn = 0;

  constructor() {
    const server = new MemoryServer({ time: this.time });
    this.instances = [0, 1].map(() => new Instance(memoryBackend({ server })));
    this.stores = this.instances.map((instance) => new StateStore<number>(instance, "model", { ttl: storeTtl }));
  }

  async step(step: Step): Promise<void> {
    const { model } = this;
    const store = this.stores[this.#turn++ % 2] as StateStore<number>;
    if (step.do === "advance") await this.time.advance(step.ms);
    else if (step.do === "transact") await this.transact(step.steps, step.fails);
    else if (step.do === "save") {
      const condition = model.condition(step.key, step.if);
      const holds = model.holds(step.key, condition);
      const options = condition ? { ttl: step.ttl, if: condition } : { ttl: step.ttl };
      const version = await conflicts(store.save(step.key, step.value, options), holds);
      if (holds) model.set(step.key, step.value, version as string, step.ttl ?? storeTtl);
    } else if (step.do === "delete") {
      const condition = model.condition(step.key, step.if) as { version: string } | undefined;
      const row = model.get(step.key);
      const holds = model.holds(step.key, condition);
      const there = await conflicts(store.delete(step.key, condition ? { if: condition } : {}), holds);
      if (holds) {
        assert.equal(there, row !== undefined);
        model.retire(step.key);
      }
    } else await this.change(store, step);
  }

  async change(store: StateStore<number>, step: Extract<Step, { do: "update" | "upsert" }>): Promise<void> {
    const { model } = this;
    const row = model.get(step.key);
    const seen: (number | undefined)[] = [];
    const fn = (n: number | undefined): number | typeof KEEP => {
      seen.push(n);
      return answerOf(step.answer, n);
    };
    const entry = await store[step.do](step.key, fn, { ttl: step.ttl });
    const called = row !== undefined || step.do === "upsert";
    assert.deepEqual(seen, called ? [row?.value] : []);
    if (!called || (step.answer !== "value" && !row)) assert.equal(entry, undefined);
    else if (step.answer === "keep") assert.deepEqual([entry?.value, entry?.version], [row?.value, row?.version]);
    else if (step.answer === "remove") {
      assert.equal(entry, undefined);
      model.retire(step.key);
    } else {
      assert.ok(entry);
      assert.equal(entry.value, (row?.value ?? 0) + 1);
      model.set(step.key, entry.value, entry.version, step.ttl ?? (row ? "keep" : storeTtl));
      assert.equal(entry.expiresAt ?? Infinity, model.get(step.key)?.until);
    }
  }

  async transact(steps: readonly Step[], fails: boolean): Promise<void> {
    const { model } = this;
    const i = this.#turn % 2;
    const store = this.stores[i] as StateStore<number>;
    const view = new Map(["a", "b", "c"].map((at) => [at, model.get(at)?.value]));
    const error = new Error("of the application");
    const work = transact(this.instances[i] as Instance, async (tx) => {
      await play(tx, store, steps, view);
      if (fails) throw error;
    });
    if (fails) return assert.rejects(work, error);
    await work;
    // Versions and ttls are taken from the store; the other properties say what they must be.
    for (const at of view.keys()) {
      const entry = await store.loadEntry(at);
      assert.equal(entry?.value, view.get(at), `after the transaction: ${at}`);
      const before = model.get(at);
      if (before?.version === entry?.version) continue;
      assert.ok(entry === undefined || entry.version !== model.old.get(at));
      model.retire(at);
      if (entry) model.rows.set(at, { value: entry.value, version: entry.version, until: entry.expiresAt ?? Infinity });
    }
  }

  /** Every way to read says what the model says. */
  async compare(): Promise<void> {
    const live = ["a", "b", "c"].filter((at) => this.model.get(at));
    for (const store of this.stores) {
      const many = await store.loadEntries(["a", "b", "c"]);
      assert.deepEqual([...many.keys()], live);
      for (const at of live) {
        const { value, version, until } = this.model.get(at) as Row;
        const entry = many.get(at);
        assert.deepEqual([entry?.value, entry?.version, entry?.expiresAt ?? Infinity], [value, version, until]);
        assert.equal(await store.load(at), value);
      }
      const listed: string[] = [];
      for await (const entry of store.list()) listed.push(entry.key);
      assert.deepEqual(listed.toSorted(), live);
    }
  }
}

it("a state store is a map whose entries have versions and an end", async () => {
  const steps = fc.array(
    fc.oneof({ weight: 3, arbitrary: save }, { weight: 4, arbitrary: change }, remove, advance, group),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const run = new Run();
      for (const step of all) {
        await run.step(step);
        await run.compare();
      }
    }),
    { numRuns: 150 },
  );
});
