import assert from "node:assert/strict";
import { it } from "node:test";
import { UserFunctions, within, type UserFunction } from "../../src/client/user-functions.ts";

function lengthOf(last: UserFunction): number {
  let length = 0;
  for (let one: UserFunction | undefined = last; one; one = one.outer) length++;
  return length;
}

void it("what starts the next one before it ends, time and again, holds on to no past", () => {
  const functions = new UserFunctions();
  let last = functions.start();
  for (let i = 0; i < 100; i++) {
    const next = within(last, () => functions.start());
    assert.ok(lengthOf(next) <= 3);
    functions.end(last);
    last = next;
  }
});

void it("those from inside of which it is called are exempt, also after an await, and no others", async () => {
  const [functions, others] = [new UserFunctions(), new UserFunctions()];
  const outer = functions.start();
  const beside = functions.start();
  let rested = false;
  await within(outer, async () => {
    await Promise.resolve();
    const inner = functions.start();
    await within(inner, async () => {
      await Promise.resolve();
      functions.exempt();
      functions.exempt();
    });
    functions.end(inner);
  });
  const rest = functions.rest().then(() => (rested = true));
  await others.rest();
  await Promise.resolve();
  assert.equal(rested, false);
  functions.end(beside);
  await rest;
  functions.end(outer);
  await functions.rest();
});
