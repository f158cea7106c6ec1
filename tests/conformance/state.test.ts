import { describe, it } from "node:test";
import { stateCases } from "../../src/testing/state-suite.ts";
import { bindSuite } from "../../src/testing/suite.ts";
import { subjects } from "../support/subjects.ts";

for (const subject of subjects) {
  const cases = await bindSuite("state", stateCases, subject);
  describe(`a state store on ${subject.name}`, { concurrency: 8 }, () => {
    for (const one of cases) it(one.title, { skip: one.skip ?? false, timeout: 60_000 }, one.run);
  });
}
