import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { space, type Key } from "../../src/base/keys.ts";
import { Instance } from "../../src/client/index.ts";
import { Lock, type AcquireOptions, type Lease } from "../../src/lock/index.ts";
import type { LockState, Operation, Outcome } from "../../src/port/index.ts";
import { misbehavingBackend, type Fault } from "../../src/testing/misbehave.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

/** What may go wrong on the way to the store. Each entry is used up by one lock request; after the last nothing fails. */
export type Mishap = "fine" | "not sent" | "request lost" | "reply lost" | "slow";

interface Waiting {
  readonly at: number;
  readonly keys: readonly string[];
  readonly until: number;
  readonly place: number;
  readonly abort: AbortController;
  /** Not one that tries once. */
  readonly waits: boolean;
  over: boolean;
}

const failed = (sent: boolean): Outcome => ({ ok: false, why: "failed", sent, error: new Error("a mishap") });

/** Several instances on one server, and what must hold of them whatever happens. */
export class World {
  readonly time = virtualTime();
  readonly instances: readonly Instance[];
  readonly locks: readonly Lock[];
  readonly held: Lease[] = [];
  /** What was found wrong, by callbacks that nobody awaits. */
  readonly #wrong: unknown[] = [];
  /** Holds that were ended by force, as `contender:grant`: their holders may not know of it yet. */
  readonly #stolen = new Set<string>();
  /** The last fence of each key. */
  readonly #fences = new Map<string, bigint>();
  readonly #waiting: Waiting[] = [];
  readonly #server = new MemoryServer({ time: this.time });
  readonly #mishaps: Mishap[];
  #places = 0;
  granted = 0;

  constructor(instances: number, mishaps: readonly Mishap[] = []) {
    this.#mishaps = [...mishaps];
    const fault: Fault = {
      name: "mishaps",
      group: async (group, next) => {
        const steals = group.ops.some((op) => op.op === "steal");
        if (steals) {
          const looks = group.ops.map((op): Operation => ({ op: "inspect", lock: (op as { lock: Key }).lock }));
          this.#noteStolen(await next({ ops: looks }));
        }
        switch (group.ops.some((op) => op.op !== "inspect") ? this.#mishaps.shift() : undefined) {
          case "not sent":
            return failed(false);
          case "request lost":
            return failed(true);
          case "reply lost":
            await next(group);
            return failed(true);
          case "slow": {
            const outcome = await next(group);
            await new Promise<void>((resolve) => {
              this.time.after(700, resolve);
            });
            return outcome;
          }
          case "fine":
          case undefined:
            return next(group);
        }
      },
    };
    const make = (): Instance => {
      const backend = memoryBackend({ server: this.#server });
      return new Instance(mishaps.length > 0 ? misbehavingBackend(backend, fault) : backend, { timeout: 2_000 });
    };
    this.instances = Array.from({ length: instances }, make);
    this.locks = this.instances.map((instance) => new Lock(instance, "locks"));
  }

  acquire(at: number, keys: readonly string[], options: AcquireOptions & { readonly wait: number }): void {
    const lock = this.locks[at] as Lock;
    const abort = new AbortController();
    const until = this.time.monotonic() + options.wait;
    const waiting: Waiting = { at, keys, until, place: this.#places++, abort, waits: options.wait > 0, over: false };
    this.#waiting.push(waiting);
    void lock
      .acquire(keys.length === 1 ? (keys[0] as string) : keys, { ...options, signal: abort.signal })
      .then(
        (lease) => this.#grant(at, waiting, lease),
        (error: unknown) => this.#refused(waiting, error),
      )
      .catch((error: unknown) => this.#wrong.push(error));
  }

  #grant(at: number, waiting: Waiting, lease: Lease): void {
    waiting.over = true;
    this.granted++;
    // It may have been stolen while the reply that granted it was on its way.
    for (const key of this.#isStolen(lease) ? [] : lease.keys) {
      assert.ok(lease.fence > (this.#fences.get(key) ?? 0n), `the fence of ${key} rises`);
      this.#fences.set(key, lease.fence);
      const other = this.held.find((one) => one.keys.includes(key) && one.remainingMs > 0 && !this.#isStolen(one));
      assert.equal(other, undefined, `${key} has one holder`);
      if (waiting.keys.length > 1) continue;
      // First come, first served: nobody who came to this instance before it and still waits for the same is left behind.
      const before = (one: Waiting): boolean =>
        !one.over && one.at === at && one.place < waiting.place && one.waits && waiting.waits;
      const overtaken = this.#waiting.find((one) => before(one) && one.keys.length === 1 && one.keys[0] === key);
      assert.equal(overtaken, undefined, "in their order");
    }
    this.held.push(lease);
  }

  #noteStolen(outcome: Outcome): void {
    const state = outcome.ok ? (outcome.results[0] as LockState) : undefined;
    for (const { owner, grant } of state?.holders ?? []) this.#stolen.add(`${owner}:${grant}`);
  }

  #isStolen(lease: Lease): boolean {
    return this.#stolen.has(`${lease.owner.split("/")[0]}:${lease.fence >> 10n}`);
  }

  #refused(waiting: Waiting, error: unknown): void {
    waiting.over = true;
    const expected = error === waiting.abort.signal.reason || isHoldfastError(error);
    if (!expected) throw error;
  }

  async release(index: number): Promise<void> {
    const [one] = this.held.splice(index % Math.max(1, this.held.length), 1);
    if (!one) return;
    void one.release();
  }

  abort(index: number): void {
    this.#waiting[index % Math.max(1, this.#waiting.length)]?.abort.abort(new Error("aborted"));
  }

  async force(at: number, key: string): Promise<void> {
    // Nothing else happens between the look and the force.
    this.#noteStolen({ ok: true, results: [await this.state(key)] });
    // Not awaited: a slow store needs time to pass.
    void (this.locks[at] as Lock).forceRelease(key, "the model wants it").catch(ours);
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await nextTurn();
    if (this.#wrong.length > 0) throw this.#wrong[0];
  }

  async advance(ms: number): Promise<void> {
    await this.time.advance(ms);
    await this.settle();
    // Every wait has ended by its time, give or take one request to the store.
    const late = this.#waiting.find((one) => !one.over && this.time.monotonic() > one.until + 2_100);
    assert.equal(late, undefined, "a wait ends in time");
  }

  async state(key: string): Promise<LockState> {
    const session = memoryBackend({ server: this.#server }).session();
    const lock = { space: space("lock", "", "locks"), key };
    const call = { deadline: this.time.monotonic() + 1_000, claim: () => true };
    const [outcome] = await session.execute([{ ops: [{ op: "inspect", lock }] }], call);
    assert.ok(outcome?.ok);
    return outcome.results[0] as LockState;
  }

  /** Gives everything up; nothing must be left, neither here nor at the store. */
  async finish(keys: readonly string[], patienceMs: number): Promise<void> {
    for (const waiting of this.#waiting) waiting.abort.abort(new Error("the end"));
    await this.advance(0);
    for (let i = 0; i < 3; i++) {
      while (this.held.length > 0) await this.release(0);
      await this.advance(patienceMs);
    }
    assert.ok(this.#waiting.every((one) => one.over));
    for (const key of keys)
      assert.deepEqual(await this.state(key), { holders: [], waiting: 0 }, `nothing is left of ${key}`);
    const closing = Promise.all(this.instances.map((instance) => instance.close(0)));
    await this.advance(10_000);
    await closing;
  }
}

function ours(error: unknown): undefined {
  if (isHoldfastError(error)) return undefined;
  throw error;
}
