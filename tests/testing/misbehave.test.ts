import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { faults } from "../../src/testing/faults.ts";
import { misbehavingBackend, type Fault } from "../../src/testing/misbehave.ts";
import { portCases } from "../../src/testing/port-suite.ts";
import { bindSuite, type Subject } from "../../src/testing/suite.ts";
import { memoryVirtual } from "../backends/memory/subjects.ts";

/** Memory with a fault, on a virtual clock. */
function misbehaving(make: () => Fault): Subject {
  return {
    ...memoryVirtual,
    async place() {
      const place = await memoryVirtual.place();
      const fault = make();
      return { ...place, backend: () => misbehavingBackend(place.backend(), fault) };
    },
  };
}

/** The titles of the cases that fail. A case that does not end counts: a wrong backend may make it wait for ever. */
async function caught(subject: Subject): Promise<readonly string[]> {
  const cases = (await bindSuite("port", portCases, subject)).filter((one) => one.skip === undefined);
  const fails = await Promise.all(
    cases.map(async (one) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(true), 20_000);
      });
      const failed = one.run().then(
        () => false,
        () => true,
      );
      return Promise.race([failed, late]).finally(() => clearTimeout(timer));
    }),
  );
  return cases.flatMap((one, i) => (fails[i] ? [one.title] : []));
}

describe("the port suite catches what backends do wrong", { concurrency: 4 }, () => {
  it("and finds no fault in one that does nothing wrong", async () => {
    assert.deepEqual(await caught(misbehaving(() => ({ name: "none" }))), []);
  });

  for (const make of faults) {
    const { name } = make();
    it(name, async () => {
      const titles = await caught(misbehaving(make));
      assert.ok(titles.length > 0, "no case noticed");
    });
  }
});
