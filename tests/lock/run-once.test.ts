import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunOnceOptions } from "../../src/lock/index.ts";
import { setUp } from "./hands.ts";

/** A run that does not end, and a lock of the same id on a server whose every reply takes 300 ms. */
async function running() {
  const { time, lock, other } = setUp((own) => own, {
    answered: async () => new Promise<void>((resolve) => void time.after(300, resolve)),
  });
  await new Promise<void>((resolve) => {
    void other.runOnce("id", () => {
      resolve();
      return new Promise<never>(() => undefined);
    });
  });
  return {
    /** How long a call waits that is refused, and with what. */
    async refused(options: RunOnceOptions) {
      const since = time.monotonic();
      let ended: { readonly afterMs: number; readonly error: unknown } | undefined;
      void lock
        .runOnce("id", () => assert.fail("it must not run"), options)
        .catch((error: unknown) => {
          ended = { afterMs: time.monotonic() - since, error };
        });
      for (let i = 0; i < 1_000 && !ended; i++) await time.advance(10);
      return ended as { readonly afterMs: number; readonly error: Error } | undefined;
    },
  };
}

void describe("runOnce", () => {
  for (const wait of [500, 1_000, 2_000]) {
    void it(`waits for ${wait} ms in all, with what it asks the store before`, async () => {
      const { refused } = await running();
      const { afterMs, error } = (await refused({ wait, timeout: 1_000 })) ?? {};
      assert.equal((error as { code?: unknown }).code, "LOCK_TIMEOUT");
      assert.match((error as Error).message, new RegExp(`within ${wait} ms`));
      assert.ok(afterMs !== undefined && afterMs >= wait && afterMs <= wait + 30, `after ${afterMs} ms`);
    });
  }

  void it("with a wait of 0 asks for the lock once", async () => {
    const { refused } = await running();
    const { afterMs, error } = (await refused({ wait: 0 })) ?? {};
    assert.equal((error as { code?: unknown }).code, "LOCK_TIMEOUT");
    assert.match((error as Error).message, /at once/);
    // One to read, one to try.
    assert.ok(afterMs !== undefined && afterMs <= 630, `after ${afterMs} ms`);
  });
});
