// The published suites, and what tests of applications stand on.
//
// - `bindSuite` binds the cases of a suite to a `Subject`, which makes a `Place` for each: `place` makes one of a
//   function that makes backends. `elapse` waits. Each suite (`port-suite`, `state-suite`, `lock-suite`, `cache-suite`)
//   lists the cases of its folder; the folder's `client` or `bench` is what its cases have in common.
// - `test-backend` is Memory with a clock to move (`virtual-time`) and failures to plan. `misbehave` and `faults` stand
//   between a case and a backend, and spoil what the case says. `one-signal` counts the listeners of a signal.

import type { Backend, Capabilities, OwnConnection } from "../port/index.ts";
import { inTime } from "./in-time.ts";

/** Where a suite runs: a fresh, empty place, which several backends (clients of one server) can share. */
export interface Place {
  /** A new backend on this place: another client of the same data. The place closes it. */
  backend(): Backend;
  /**
   * Lets at least that much of the server's time pass: a virtual clock moves, a real one is waited for, with `elapse`.
   */
  elapse(ms: number): Promise<void>;
  /**
   * An application with a table of its own beside what the backends store, where `within` is declared. The place closes
   * it.
   */
  application?(): Promise<Application>;
  /** Closes every backend it made and removes what they stored. */
  close(): Promise<void>;
}

/** An application that has rows of its own on the server of a backend, and a driver to write them. */
export interface Application {
  /** Opens a connection without a transaction. */
  connect(): Promise<ApplicationConnection>;
  /** The committed rows, in order. */
  rows(): Promise<readonly string[]>;
}

/** One connection of an application. */
export interface ApplicationConnection {
  /** What is given to `within`. */
  readonly own: OwnConnection;
  /** Runs a statement without parameters, such as `BEGIN`, `COMMIT`, `ROLLBACK` or `SAVEPOINT a`. */
  run(sql: string): Promise<void>;
  /** Adds a row of the application. */
  insert(row: string): Promise<void>;
  /** Ends it from outside, as the death of the process does, and waits until the server has noticed. */
  cut(): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
}

/** A backend under test. */
export interface Subject {
  /** Shown in the cases' titles, such as `"lmdb"`. */
  readonly name: string;
  /** Makes a fresh place. */
  place(): Promise<Place>;
  /**
   * Shortest lease or ttl, in ms, that a case may rely on: large enough that a busy machine does not end it by itself.
   * Cases count their times in it, and no case runs twice: give more where many run side by side. Default 250; 1000 on
   * a virtual clock.
   */
  readonly unit?: number | undefined;
}

/** What a case is given. */
export interface CaseContext {
  readonly place: Place;
  readonly capabilities: Capabilities;
  /** See {@link Subject.unit}, resolved. */
  readonly unit: number;
}

/** One behaviour that must hold. */
export interface Case {
  readonly title: string;
  /** The line of the contract it proves, such as `"locks 4: local hand-off"`. */
  readonly proves: string;
  /**
   * Whether these capabilities promise it. Where they do not, the case does not run; a case of its own tests the
   * refusal.
   */
  readonly when?: ((capabilities: Capabilities) => boolean) | undefined;
  run(context: CaseContext): Promise<void>;
}

/** A case bound to a subject, for any test runner: `for (const test of cases) it(test.title, test.run)`. */
export interface BoundCase {
  readonly title: string;
  /** Why it does not apply to this subject; absent where it runs. */
  readonly skip?: string | undefined;
  readonly run: () => Promise<void>;
}

/** In ms, by the real clock. No case takes as long, and one that waits for what does not come is to end and say so. */
const longest = 120_000;

/**
 * Binds a suite to a subject: each case gets a fresh place, closed whatever happens. A case that has not ended within
 * two minutes fails.
 */
export async function bindSuite(
  suite: string,
  cases: readonly Case[],
  subject: Subject,
): Promise<readonly BoundCase[]> {
  const probe = await subject.place();
  let capabilities: Capabilities;
  try {
    ({ capabilities } = await probe.backend().open());
  } finally {
    await probe.close();
  }
  const unit = subject.unit ?? 250;
  return cases.map((one) => ({
    title: `${subject.name} › ${suite} › ${one.title} (${one.proves})`,
    ...(one.when && !one.when(capabilities) ? { skip: `${subject.name} does not declare it` } : {}),
    async run() {
      const place = await subject.place();
      try {
        await inTime("the end of the case", one.run({ place, capabilities, unit }), longest);
      } finally {
        await place.close();
      }
    },
  }));
}
