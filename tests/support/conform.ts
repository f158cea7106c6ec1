import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leftOut } from "../../scripts/lib/left-out.ts";
import type { Capabilities } from "../../src/port/index.ts";
import { bindSuite, type BoundCase, type Case, type Subject } from "../../src/testing/suite.ts";
import { realUnit } from "./unit.ts";

/** A backend as the tests here run on it. */
export interface TestSubject extends Subject {
  /** How many cases run at a time: they mostly wait for a clock, and each has a place of its own. Default 8. */
  readonly atOnce?: number;
  /**
   * The name of the backend's subject that differs from this one below the port alone: another version of the server, or
   * another way to reach it. The suites of state, cache and locks, which stand on the port, run on that one.
   */
  readonly like?: string | undefined;
  /** What waits is told in another way than on the one that this is like: the suite of the locks runs here too. */
  readonly ownSignals?: boolean;
}

/** A subject that is here, with the one that it is like if that is here too. */
export interface FoundSubject extends TestSubject {
  readonly model?: TestSubject | undefined;
}

/**
 * As {@link conform}, of what stands on the port: a subject that is like another one that is here is left out, unless it
 * `differs`, and a skipped test says so. `HOLDFAST_SUITES=all` leaves none out.
 */
export async function conformAbove(
  suite: string,
  cases: readonly Case[],
  subjects: readonly FoundSubject[],
  differs: (subject: FoundSubject) => boolean = () => false,
): Promise<void> {
  const all = process.env["HOLDFAST_SUITES"] === "all";
  const whole = subjects.filter((subject) => all || subject.model === undefined || differs(subject));
  await conform(suite, cases, whole);
  for (const { name, model } of subjects.filter((one) => !whole.includes(one)))
    it(`${suite} on ${name}`, { skip: leftOut(`above the port it is as ${model?.name}`) });
}

/** Registers that each subject that is like another promises what that one does: features decide by that alone. */
export function compareLikes(subjects: readonly FoundSubject[]): void {
  for (const { model, ...subject } of subjects) {
    if (model === undefined) continue;
    it(`${subject.name} promises what ${model.name} does`, async () => {
      assert.deepEqual(await promisesOf(subject), await promisesOf(model));
    });
  }
}

async function promisesOf(subject: Subject): Promise<Capabilities> {
  const place = await subject.place();
  try {
    return (await place.backend().open()).capabilities;
  } finally {
    await place.close();
  }
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
