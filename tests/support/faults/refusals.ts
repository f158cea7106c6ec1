import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connect,
  isHoldfastError,
  type Duration,
  type Holdfast,
  type HoldfastEvents,
  type Lease,
} from "../../../src/entries/index.ts";
import { until } from "../servers/until.ts";

/** A running server that can be made to refuse what it is asked. */
export interface RefusingPlace {
  readonly url: string;
  /** Resolves when it refuses to write. */
  begin(): Promise<unknown>;
  /** Has it take requests again. */
  end(): Promise<unknown>;
  stop(): Promise<void>;
}

/** How a kind of server refuses. */
export interface Refusal {
  readonly name: string;
  /** Matches the message of the error; of the first one, where several may come. */
  readonly says: RegExp;
  /** Whether it refuses releases too. */
  readonly releases: boolean;
  /** How long a call may take: longer by far than it takes until one is refused. Default `"2s"`. */
  readonly timeout?: Duration;
  /** Of a lease that is held all the while. Default `"9s"`. */
  readonly ttl?: Duration;
  start(): Promise<RefusingPlace>;
}

/** What must hold while a server that can be reached refuses what it is asked. */
export function refusalFaults(kind: string, skip: string | false, refusal: Refusal): void {
  const { name, says, releases, timeout = "2s", ttl = "9s", start } = refusal;
  const title = `${kind} refuses (${name}) for a while: who waits for a lock gets it, what is held is kept, a release is made`;
  void test(title, { skip, timeout: 60_000 }, async () => {
    const place = await start();
    const options = { service: "refusals", timeout };
    const [one, other] = await Promise.all([connect(place.url, options), connect(place.url, options)]);
    try {
      const [lock, beyond] = [one.lock("l", { wait: "50s" }), other.lock("l", { wait: "50s" })];
      const released = await lock.acquire("released", { ttl: "50s" });
      const held = await lock.acquire("held", { ttl });
      const queued = beyond.acquire("released");
      queued.catch(() => undefined);
      await until("it waits", async () => (await lock.inspect("released"))?.waiting === 1);

      await place.begin();
      const told = heard(one, "error", ({ error }) => isHoldfastError(error) && says.test(error.message));
      const waits = [lock.acquire("new"), beyond.acquire(["a", "b"]), beyond.readWrite("rates").read.acquire()];
      // A run stores its result under its lease, in one step.
      const once = one.capabilities.guard === "atomic" ? beyond.runOnce("id", () => 7) : Promise.resolve({ value: 7 });
      for (const wait of [...waits, once]) wait.catch(() => undefined);
      await assert.rejects(lock.tryAcquire("tried"), (error) => {
        return isHoldfastError(error, "UNAVAILABLE") && (error as { refused?: unknown }).refused === true;
      });
      // Longer than a call may take.
      assert.equal(await released.release(), releases ? "unknown" : "released");
      await told;
      await place.end();

      for (const lease of await Promise.all([queued, ...waits])) lease.assertHeld();
      assert.equal((await once).value, 7);
      // It may take a moment until there is a connection again.
      await until("it is extended", async () => isExtended(held));
      held.assertHeld();
    } finally {
      await Promise.all([one.close(), other.close()]);
      await place.stop();
    }
  });
}

async function isExtended(lease: Lease): Promise<boolean> {
  try {
    await lease.extend();
    return true;
  } catch (error) {
    if (isHoldfastError(error, "UNAVAILABLE") || isHoldfastError(error, "INDETERMINATE")) return false;
    throw error;
  }
}

/** The next event of a name that `is` says. */
async function heard<Name extends keyof HoldfastEvents>(
  hf: Holdfast,
  name: Name,
  is: (event: HoldfastEvents[Name]) => boolean,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = hf.on(name, (event) => {
      if (!is(event)) return;
      end();
      resolve();
    });
  });
}
