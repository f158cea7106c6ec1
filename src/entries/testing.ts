import { closingShared } from "../holdfast/closing.ts";
import { testBackend as makeBackend, type TestBackend } from "../testing/test-backend.ts";

/** A fresh, empty test backend. Closing it closes first what constructors of a backend made on it. */
export function testBackend(): TestBackend {
  return closingShared(makeBackend());
}

export type { StoreCall, StoreFailure, TestBackend } from "../testing/test-backend.ts";
export { virtualTime, type VirtualTime } from "../testing/virtual-time.ts";
export { elapse } from "../testing/elapse.ts";
export { placeOf, type PlaceOptions } from "../testing/place.ts";
export { bindSuite } from "../testing/suite.ts";
export type {
  Application,
  ApplicationConnection,
  BoundCase,
  Case,
  CaseContext,
  Place,
  Subject,
} from "../testing/suite.ts";
export { portCases } from "../testing/port-suite.ts";
export { cacheCases } from "../testing/cache-suite.ts";
export { lockCases } from "../testing/lock-suite.ts";
export { stateCases } from "../testing/state-suite.ts";
export { misbehavingBackend, type Fault, type Next } from "../testing/misbehave.ts";
export { faults } from "../testing/faults.ts";
export type { Time, Timer } from "../base/time.ts";
export type { Duration } from "../base/durations.ts";
export type { Kind } from "../base/keys.ts";
export type * from "../port/index.ts";
