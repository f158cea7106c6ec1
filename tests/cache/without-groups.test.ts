import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyId } from "../../src/base/keys.ts";
import { cacheCases } from "../../src/testing/cache-suite.ts";
import { bindSuite, type Subject } from "../../src/testing/suite.ts";
import { remote, stand } from "./support.ts";

/** Memory as a store somewhere else that changes one record at a time. */
const single: Subject = {
  name: "a store without groups",
  unit: 1_000,
  async place() {
    const { backend, time } = stand();
    return {
      backend: () =>
        remote(backend(), {
          capabilities: { transact: "none" },
          onExecute(groups) {
            for (const { ops } of groups) {
              const keys = new Set(ops.map((op) => keyId("key" in op ? op.key : op.lock)));
              assert.equal(keys.size, 1, "a group of several keys");
            }
          },
        }),
      elapse: async (ms) => time.advance(ms),
      close: async () => undefined,
    };
  },
};

const cases = await bindSuite("cache", cacheCases, single);
describe("a cache on a store that changes one record at a time", () => {
  for (const one of cases) it(one.title, { skip: one.skip ?? false }, one.run);
});
