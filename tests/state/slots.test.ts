import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { turnCases } from "../../src/testing/state/turns.ts";
import { bindSuite } from "../../src/testing/suite.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";
import { slottedBackend } from "../support/slots.ts";

/** Memory that keeps each tag in a place of its own, as a cluster does. */
const slotted = {
  name: "slotted",
  unit: 1_000,
  async place() {
    const time = virtualTime();
    const server = new MemoryServer({ time });
    return {
      backend: () => slottedBackend(memoryBackend({ server })),
      elapse: async (ms: number) => time.advance(ms),
      close: async () => undefined,
    };
  },
};

const cases = await bindSuite("state", turnCases, slotted);
describe("transactions that take turns on a store that keeps each tag in a place of its own", () => {
  for (const one of cases) it(one.title, { skip: one.skip ?? false, timeout: 60_000 }, one.run);
});
