import assert from "node:assert/strict";
import { isHoldfastError, type ErrorCode } from "../../src/base/errors.ts";

/** The HoldfastError of that code that `work` rejects with. */
export async function rejection(work: Promise<unknown>, code: ErrorCode): Promise<Error> {
  const error: unknown = await work.then(
    () => assert.fail(`it did not fail with ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(isHoldfastError(error, code), String(error));
  return error;
}
