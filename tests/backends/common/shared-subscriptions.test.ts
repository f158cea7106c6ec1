import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred, type Deferred } from "../../../src/base/async.ts";
import { SharedSubscriptions } from "../../../src/backends/common/shared-subscriptions.ts";

function world() {
  const calls: string[] = [];
  const confirmations: Deferred<void>[] = [];
  const shared = new SharedSubscriptions<string>({
    async subscribe(name, deadline) {
      calls.push(`+${name} ${deadline}`);
      const confirmation = deferred<void>();
      confirmations.push(confirmation);
      return confirmation.promise;
    },
    unsubscribe: (name) => void calls.push(`-${name}`),
  });
  return { calls, confirmations, shared };
}

void describe("shared subscriptions", () => {
  void it("subscribe to a name once, until the last has left", async () => {
    const { calls, confirmations, shared } = world();
    const joined = Promise.all([shared.join("n", "a", 1), shared.join("n", "b", 2)]);
    assert.deepEqual([calls, [...shared.membersOf("n")], shared.size], [["+n 1"], ["a", "b"], 1]);
    confirmations[0]?.resolve();
    await joined;
    await shared.join("n", "c", 3);
    for (const member of ["a", "b", "nobody", "a"]) shared.leave("n", member);
    assert.deepEqual([calls, shared.everybody()], [["+n 1"], ["c"]]);
    shared.leave("n", "c");
    assert.deepEqual([calls, shared.size], [["+n 1", "-n"], 0]);
  });

  void it("take nothing back before the server has confirmed", async () => {
    const { calls, confirmations, shared } = world();
    const joined = shared.join("n", "a", 1);
    shared.leave("n", "a");
    const again = shared.join("n", "b", 1);
    assert.deepEqual(calls, ["+n 1"]);
    confirmations[0]?.resolve();
    await Promise.all([joined, again]);
    assert.deepEqual([calls, shared.everybody()], [["+n 1"], ["b"]]);
    const other = shared.join("o", "a", 1);
    shared.leave("o", "a");
    confirmations[1]?.resolve();
    await other;
    assert.deepEqual(calls, ["+n 1", "+o 1", "-o"]);
  });

  void it("forget those who could not join, and ask anew for the next", async () => {
    const { calls, confirmations, shared } = world();
    const [one, two] = [shared.join("n", "a", 1), shared.join("n", "b", 1)];
    confirmations[0]?.reject(new Error("refused"));
    await assert.rejects(one, /refused/);
    await assert.rejects(two, /refused/);
    assert.deepEqual([calls, shared.everybody()], [["+n 1", "-n"], []]);
    const again = shared.join("n", "a", 5);
    confirmations[1]?.resolve();
    await again;
    assert.deepEqual([calls.at(-1), shared.everybody()], ["+n 5", ["a"]]);
  });
});
