import { describe, it } from "node:test";
import { lockCases } from "../../src/testing/lock-suite.ts";
import { bindSuite } from "../../src/testing/suite.ts";
import { subjects } from "../support/subjects.ts";

for (const subject of subjects) {
  const cases = await bindSuite("lock", lockCases, subject);
  // Cases mostly wait for a clock, and each has a place of its own.
  describe(`a lock on ${subject.name}`, { concurrency: 4 }, () => {
    for (const one of cases) it(one.title, { skip: one.skip ?? false, timeout: 60_000 }, one.run);
  });
}
