import { describe, it } from "node:test";
import { cacheCases } from "../../src/testing/cache-suite.ts";
import { bindSuite } from "../../src/testing/suite.ts";
import { subjects } from "../support/subjects.ts";

for (const subject of subjects) {
  const cases = await bindSuite("cache", cacheCases, subject);
  describe(`a cache on ${subject.name}`, () => {
    for (const one of cases) it(one.title, { skip: one.skip ?? false }, one.run);
  });
}
