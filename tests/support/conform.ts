import { describe, it } from "node:test";
import { bindSuite, type BoundCase, type Case, type Subject } from "../../src/testing/suite.ts";
import { realUnit } from "./unit.ts";

/** A backend as the tests here run on it. */
export interface TestSubject extends Subject {
  /** How many cases run at a time: they mostly wait for a clock, and each has a place of its own. Default 8. */
  readonly atOnce?: number;
}

/**
 * Registers a suite on each of the subjects, as tests of this file. A subject that cannot be opened is a test that fails:
 * an error that came out of here would be one of nobody's, and the subjects behind it would not be tried.
 */
export async function conform(suite: string, cases: readonly Case[], subjects: readonly TestSubject[]): Promise<void> {
  for (const subject of subjects) {
    const title = `${suite} on ${subject.name}`;
    let bound: readonly BoundCase[];
    try {
      bound = await bindSuite(suite, cases, { ...subject, unit: subject.unit ?? realUnit });
    } catch (error) {
      it(title, () => {
        throw error;
      });
      continue;
    }
    describe(title, { concurrency: subject.atOnce ?? 8 }, () => {
      // Longer than a case may take by itself, so that it says what it waited for and its place is closed.
      for (const one of bound) it(one.title, { skip: one.skip ?? false, timeout: 240_000 }, one.run);
    });
  }
}
