import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnavailableError, UnsupportedError } from "../../../src/base/errors.ts";
import { before } from "../../../src/backends/common/deadline.ts";
import { Opening } from "../../../src/backends/common/opening.ts";
import { PendingCallers } from "../../../src/backends/common/pending.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

const backend = "test";

function world() {
  const time = virtualTime();
  const attempts: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const opening = new Opening(
    backend,
    time,
    () => new Promise<string>((resolve, reject) => attempts.push({ resolve, reject })),
  );
  return { time, attempts, opening };
}

const away = (): UnavailableError => new UnavailableError("away", { backend });
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("before a deadline", () => {
  it("gives what work gives, or says that it is late", async () => {
    const time = virtualTime();
    const limit = { time, deadline: time.monotonic() + 100, late: () => new Error("late") };
    assert.equal(await before(Promise.resolve(1), limit), 1);
    await assert.rejects(before(Promise.reject(new Error("no")), limit), /^Error: no$/);
    const waits = assert.rejects(before(new Promise(() => undefined), limit), /late/);
    await time.advance(100);
    await waits;
  });
});

describe("opening", () => {
  it("shares one attempt, keeps what it gave, and opens anew once that is lost", async () => {
    const { attempts, opening } = world();
    const calls = [opening.open(), opening.open()];
    attempts[0]?.resolve("one");
    assert.deepEqual(await Promise.all(calls), ["one", "one"]);
    assert.equal(await opening.open(), "one");
    assert.equal(opening.opened, "one");
    opening.lost();
    assert.equal(opening.opened, undefined);
    const again = opening.open();
    attempts[1]?.resolve("two");
    assert.equal(await again, "two");
  });

  it("makes an attempt that failed again", async () => {
    const { attempts, opening } = world();
    const first = opening.open();
    attempts[0]?.reject(away());
    await assert.rejects(first, /away/);
    const second = opening.open();
    attempts[1]?.resolve("one");
    assert.equal(await second, "one");
  });

  it("tries until the deadline what may come back, at most", async () => {
    const { time, attempts, opening } = world();
    const call = opening.openBefore(time.monotonic() + 1_000);
    for (let i = 0; i < 2; i++) {
      await time.advance(300);
      attempts[i]?.reject(away());
      await turn();
    }
    assert.equal(attempts.length, 3);
    const late = assert.rejects(call, { code: "UNAVAILABLE", message: "it could not be opened in time" });
    await time.advance(400);
    await late;
    attempts[2]?.resolve("for the next");
    await turn();
    assert.equal(opening.opened, "for the next");
  });

  it("tries no more at once what failed in haste, or can never be", async () => {
    const { time, attempts, opening } = world();
    const hasty = opening.openBefore(time.monotonic() + 1_000);
    attempts[0]?.reject(away());
    await assert.rejects(hasty, /away/);
    const never = opening.openBefore(time.monotonic() + 1_000);
    await time.advance(300);
    attempts[1]?.reject(new UnsupportedError("never", { backend }));
    await assert.rejects(never, /never/);
    assert.equal(attempts.length, 2);
  });

  it("hands what is open to the one who closes it, also what opens meanwhile", async () => {
    const { attempts, opening } = world();
    const call = assert.rejects(opening.open(), /closed/);
    const close = opening.close();
    attempts[0]?.resolve("late");
    assert.equal(await close, "late");
    await call;
    await assert.rejects(opening.open(), /the test backend is closed/);
    assert.equal(await opening.close(), undefined);
  });
});

describe("pending callers", () => {
  it("lets in as many as there is room for", () => {
    const pending = new PendingCallers(backend, 3);
    const two = pending.enter(2);
    const more = pending.enter(2);
    assert.deepEqual([two.admitted, more.admitted, pending.enter(1).admitted], [2, 1, 0]);
    two.leave();
    two.leave();
    assert.equal(pending.enter(5).admitted, 2);
    assert.match(pending.full().message, /3 calls wait/);
  });
});
