import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { connect, type Holdfast } from "../../src/entries/index.ts";
import { faults } from "../../src/testing/faults.ts";
import { misbehavingBackend, type Fault } from "../../src/testing/misbehave.ts";
import { checkHistory } from "./support/checks.ts";
import { readHistory, type LogLine } from "./support/history.ts";
import { finalState, runWorkload } from "./support/workload.ts";

const size = { registers: 3, locks: 2 };

/** What the checks say of a run of four instances in this process, on Memory with a fault. */
async function problemsWith(fault: Fault): Promise<string[]> {
  const server = new MemoryServer();
  const instances = await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      const hf = await connect(misbehavingBackend(memoryBackend({ server }), fault), { timeout: "2s" });
      return { name: `i${i}`, hf, lines: [] as LogLine[] };
    }),
  );
  let calls = 0;
  const run = async (
    { name, hf, lines }: { name: string; hf: Holdfast; lines: LogLine[] },
    seed: number,
  ): Promise<void> =>
    runWorkload(hf, {
      ...size,
      name,
      seed,
      fibers: 3,
      ttl: 400,
      timeout: 2_000,
      log: (line) => lines.push(line),
      stopped: () => ++calls > 1_500,
    });
  await Promise.all(instances.map(run));
  const final = await finalState(await connect(memoryBackend({ server })), size);
  await Promise.all(instances.map(async ({ hf }) => hf.close()));
  return checkHistory(readHistory(instances.map(({ name, lines }) => ({ holder: name, lines }))), final);
}

/**
 * Ends every third lease as soon as it is granted, so by no clock, and lets writes through without it: what a lock without
 * fences amounts to.
 */
function unfenced(): Fault {
  let granted = 0;
  return {
    name: "ends leases early and accepts late writes",
    async group({ ops }, next) {
      const outcome = await next({ ops });
      const [op] = ops;
      if (op?.op === "acquire" && outcome.ok && ++granted % 3 === 0) {
        await next({ ops: [{ op: "steal", lock: op.lock }] });
      }
      return outcome;
    },
  };
}

void test("Memory as it is passes the checks of a history", async () => {
  assert.deepEqual(await problemsWith({ name: "none" }), []);
});

for (const name of [
  "loses an acknowledged write",
  "serves stale reads",
  "ignores conditions",
  "grants two holders",
  "gives a grant twice",
  unfenced().name,
]) {
  void test(`the checks of a history find a backend that ${name}`, async () => {
    const fault = [...faults, unfenced].map((make) => make()).find((one) => one.name === name);
    assert.ok(fault, "no such fault");
    assert.notDeepEqual(await problemsWith(fault), []);
  });
}
