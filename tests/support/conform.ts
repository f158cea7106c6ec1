import { describe, it } from "node:test";
import { bindSuite, type Case, type Subject } from "../../src/testing/suite.ts";
import { realUnit } from "./unit.ts";

/** A backend as the tests here run on it. */
export interface TestSubject extends Subject {
  /** How many cases run at a time: they mostly wait for a clock, and each has a place of its own. Default 8. */
  readonly atOnce?: number;
}

/** Registers a suite on each of the subjects, as tests of this file. */
export async function conform(suite: string, cases: readonly Case[], subjects: readonly TestSubject[]): Promise<void> {
  for (const subject of subjects) {
    const bound = await bindSuite(suite, cases, { ...subject, unit: subject.unit ?? realUnit });
    describe(`${suite} on ${subject.name}`, { concurrency: subject.atOnce ?? 8 }, () => {
      for (const one of bound) it(one.title, { skip: one.skip ?? false, timeout: 120_000 }, one.run);
    });
  }
}
