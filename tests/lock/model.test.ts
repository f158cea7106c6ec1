import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { World, type Mishap } from "./world.ts";

const keys = ["a", "b"] as const;
const instances = 3;

type Command =
  | {
      readonly do: "acquire";
      readonly at: number;
      readonly keys: readonly string[];
      readonly ttl: number;
      readonly wait: number;
      readonly renew: boolean;
    }
  | { readonly do: "release"; readonly index: number }
  | { readonly do: "abort"; readonly index: number }
  | { readonly do: "force"; readonly at: number; readonly key: string }
  | { readonly do: "advance"; readonly ms: number };

const at = fc.nat(instances - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      at,
      keys: fc.constantFrom<readonly string[]>(["a"], ["a"], ["a"], ["b"], ["a", "b"], ["b", "a"]),
      ttl: fc.constantFrom(500, 2_000, 10_000),
      wait: fc.constantFrom(0, 1_000, 5_000, 20_000),
      renew: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("release" as const), index: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), index: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("force" as const), at, key: fc.constantFrom(...keys) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(0, 1, 300, 1_100, 4_000) }),
  },
);

async function play(world: World, commands: readonly Command[], finishMs: number): Promise<void> {
  for (const one of commands) {
    if (one.do === "acquire") world.acquire(one.at, one.keys, one);
    else if (one.do === "release") await world.release(one.index);
    else if (one.do === "abort") world.abort(one.index);
    else if (one.do === "force") await world.force(one.at, one.key);
    else await world.advance(one.ms);
    await world.settle();
  }
  await world.finish(keys, finishMs);
}

const mishap: fc.Arbitrary<Mishap> = fc.oneof(
  { weight: 5, arbitrary: fc.constant("fine" as const) },
  { weight: 3, arbitrary: fc.constantFrom<Mishap>("not sent", "request lost", "reply lost", "slow") },
);

describe("locks against a model", () => {
  it("have one holder, rising fences, an order, and leave nothing behind", { timeout: 60_000 }, async () => {
    let granted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
        const world = new World(instances);
        await play(world, commands, 0);
        granted += world.granted;
      }),
      { numRuns: 150 },
    );
    assert.ok(granted > 100, `${granted} grants are too few to prove anything`);
  });

  it("also when requests and replies are lost or slow", { timeout: 60_000 }, async () => {
    let granted = 0;
    const commands = fc.array(command, { minLength: 5, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(commands, fc.array(mishap, { minLength: 1, maxLength: 40 }), async (list, mishaps) => {
        const world = new World(instances, mishaps);
        // What was lost on the way may end with its ttl only.
        await play(world, list, 15_000);
        granted += world.granted;
      }),
      { numRuns: 150 },
    );
    assert.ok(granted > 100, `${granted} grants are too few to prove anything`);
  });
});
