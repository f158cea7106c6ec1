import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred } from "../../base/async.ts";
import { isHoldfastError, type ErrorCode } from "../../base/errors.ts";
import { space, type Key } from "../../base/keys.ts";
import { Instance } from "../../client/index.ts";
import { Lock, type AcquireDefaults, type Lease, type LockOptions } from "../../lock/index.ts";
import type { Backend, Capabilities, Group, LockState, Operation, Outcome, Session } from "../../port/index.ts";
import { transactionFactory, type Transaction } from "../../state/index.ts";
import { inTime } from "../in-time.ts";
import { misbehavingBackend, type Fault, type Next } from "../misbehave.ts";
import type { Case, CaseContext } from "../suite.ts";
import { Calls } from "./calls.ts";

/** What a case works with: instances of one place, and its clock. */
export class Bench {
  readonly context: CaseContext;
  readonly unit: number;
  readonly #instances: Instance[] = [];
  readonly #calls = new Calls();
  /** Made when it is first needed, and once: a case that waits asks hundreds of times. */
  #behind: Promise<{ readonly backend: Backend; readonly session: Session }> | undefined;

  constructor(context: CaseContext) {
    this.context = context;
    this.unit = context.unit;
  }

  /** A new instance, on a client of its own. */
  instance(fault?: Fault): Instance {
    const backend = this.context.place.backend();
    return this.on(fault ? misbehavingBackend(backend, fault) : backend);
  }

  /** A new instance on a backend of the case's. */
  on(backend: Backend): Instance {
    // However busy the machine is: what a call may wait for a lock is said in units.
    const instance = new Instance(backend, { timeout: 30_000 });
    this.#instances.push(instance);
    return instance;
  }

  /** A lock of an instance of its own: `ttl` is 4 units and `wait` 40 unless told. */
  lock<Tx = unknown>(options?: LockOptions<Tx>, fault?: Fault): Lock<Tx> {
    return this.lockOf<Tx>(this.instance(fault), options);
  }

  lockOf<Tx = unknown>(instance: Instance, options?: LockOptions<Tx>): Lock<Tx> {
    const lock = new Lock<Tx>(instance, "locks", { service: "conformance", ...this.terms(options) });
    return this.#calls.watch(lock, ["semaphore", "readWrite", "read", "write"]);
  }

  terms<T extends AcquireDefaults>(options?: T): T & AcquireDefaults {
    const defaults = { ttl: 4 * this.unit, wait: 40 * this.unit } as T;
    return { ...defaults, ...options };
  }

  /** A lock whose runs can write through `tx`. */
  transactingLock(instance: Instance, options?: AcquireDefaults): Lock<Transaction> {
    return this.lockOf<Transaction>(instance, { ...options, transactions: transactionFactory(instance) });
  }

  /** Reaches the store first, for a case whose own calls must be answered quickly. */
  async ready<Tx>(lock: Lock<Tx>): Promise<Lock<Tx>> {
    await this.settle(lock.inspect("ready", { timeout: 30_000 }), 30_000 / this.unit);
    return lock;
  }

  /** Lets time pass until `holds` does, for at most so many units. */
  async until(what: string, holds: () => boolean, units = 20): Promise<void> {
    for (let passed = 0; !holds() && passed < units; passed += 1 / 8) await this.pass(1 / 8);
    assert.ok(holds(), `${what}, within ${units} units`);
  }

  /** Lets so many units of time pass. */
  async pass(units: number): Promise<void> {
    await this.context.place.elapse(units * this.unit);
  }

  /** Lets time pass in small steps until the promise is settled, or for so many units; its outcome. */
  settle<T>(promise: Promise<T>, units = 60): Promise<T> {
    return this.#calls.keep(this.#settle(promise, units));
  }

  async #settle<T>(promise: Promise<T>, units: number): Promise<T> {
    let over = false;
    const settled = promise.then(
      () => (over = true),
      () => (over = true),
    );
    // Most is settled by the store alone, without time.
    for (let i = 0; i < 4 && !over; i++) await nextTurn();
    for (let passed = 0; !over && passed < units; passed += 1 / 8) await this.pass(1 / 8);
    assert.ok(over, `not settled within ${units} units`);
    await settled;
    return promise;
  }

  /** Lets what waits for promises or for the store alone run. */
  async calm(): Promise<void> {
    for (let i = 0; i < 4; i++) await nextTurn();
  }

  /** What the store knows of a lock, asked past the feature. */
  async state(key: string, kind: "lock" | "shared" | "once" = "lock"): Promise<LockState> {
    const outcome = await this.behind([{ op: "inspect", lock: this.key(key, kind) }]);
    assert.ok(outcome.ok);
    return outcome.results[0] as LockState;
  }

  key(key: string, kind: "lock" | "shared" | "once" = "lock"): Key {
    return { space: space(kind, "conformance", "locks"), key };
  }

  /** Runs operations past the feature, on a client of their own. */
  async behind(ops: readonly Operation[]): Promise<Outcome> {
    const { backend, session } = await (this.#behind ??= this.#openBehind());
    const call = { deadline: backend.time.monotonic() + 30_000, claim: () => true };
    const [outcome] = await session.execute([{ ops }], call);
    return outcome as Outcome;
  }

  async #openBehind(): Promise<{ readonly backend: Backend; readonly session: Session }> {
    const backend = this.context.place.backend();
    await backend.open();
    return { backend, session: backend.session() };
  }

  /** Waits until the store knows so many waiters, for at most so many ms. */
  async waiting(
    key: string,
    count: number,
    kind: "lock" | "shared" | "once" = "lock",
    withinMs = 12 * this.unit,
  ): Promise<void> {
    const stepMs = this.unit / 16;
    for (let passed = 0; passed < withinMs; passed += stepMs) {
      if ((await this.state(key, kind)).waiting === count) return;
      await this.context.place.elapse(stepMs);
    }
    assert.equal((await this.state(key, kind)).waiting, count, "waiters at the store");
  }

  /** As {@link waiting}, sooner than any waiter asks the store again by itself. */
  async nobodyWaits(key: string): Promise<void> {
    await this.waiting(key, 0, "lock", 200);
  }

  /** The case has failed: nobody awaits its calls any more. */
  abandon(): void {
    this.#calls.abandon();
  }

  async close(): Promise<void> {
    // What a case has left behind must not keep the next one waiting.
    const closing = Promise.all(this.#instances.map((instance) => instance.close(0)));
    await this.settle(closing, 200);
  }
}

/** A case that is handed a bench. */
export function benchCase(
  title: string,
  proves: string,
  run: (bench: Bench) => Promise<void>,
  when: (capabilities: Capabilities) => boolean = excludes,
): Case {
  return {
    title,
    proves,
    when,
    async run(context) {
      const bench = new Bench(context);
      try {
        await run(bench);
      } catch (error) {
        bench.abandon();
        throw error;
      } finally {
        await bench.close();
      }
    },
  };
}

/** Locks exclude. */
function excludes({ exclusion }: Capabilities): boolean {
  return exclusion !== "none";
}

/** A lease is checked within a write. */
export function guards(capabilities: Capabilities): boolean {
  return excludes(capabilities) && capabilities.guard === "atomic";
}

/** Several keys in one step, which have one tag in the cases. */
export function transacts(capabilities: Capabilities): boolean {
  return guards(capabilities) && capabilities.transact !== "none";
}

/** Waiters are woken. */
export function pushes(capabilities: Capabilities): boolean {
  return excludes(capabilities) && capabilities.push;
}

/** Asserts that a promise rejects with an error of ours. */
export async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<Error> {
  let caught: unknown;
  await assert.rejects(promise, (error) => {
    caught = error;
    assert.ok(isHoldfastError(error, code), `expected ${code}, got ${String(error)}`);
    return true;
  });
  return caught as Error;
}

/** The why of a lease's loss; undefined while it is not lost. */
export function lossOf(lease: Lease): string | undefined {
  return lease.signal.aborted ? (lease.signal.reason as { why: string }).why : undefined;
}

/** Whether a group does that. */
export function does(group: Group, op: Operation["op"]): boolean {
  return group.ops.some((one) => one.op === op);
}

/** A group whose reply was lost. */
export const replyLost: Outcome = { ok: false, why: "failed", sent: true, error: new Error("the connection was cut") };
/** A group that was not sent. */
export const notSent: Outcome = { ok: false, why: "failed", sent: false, error: new Error("no connection") };

/** Holds groups back: `held` resolves when one is, or rejects after a minute, `free` lets them go on. */
export function valve(name: string, stops: (group: Group) => boolean, when: "request" | "reply" = "request") {
  const held = deferred<void>();
  const free = deferred<void>();
  let open = false;
  const fault: Fault = {
    name,
    async group(group: Group, next: Next) {
      if (open || !stops(group)) return next(group);
      const early = when === "reply" ? await next(group) : undefined;
      held.resolve();
      await free.promise;
      return early ?? next(group);
    },
  };
  const release = (): void => {
    open = true;
    free.resolve();
  };
  return {
    fault,
    get held() {
      return inTime("a group that is held back", held.promise);
    },
    free: release,
  };
}

/** Fails the first `times` groups that `stops` names, with or without running them. */
export function failing(
  stops: (group: Group) => boolean,
  outcome: Outcome,
  options?: { readonly times?: number; readonly runs?: boolean },
): Fault {
  let left = options?.times ?? 1;
  return {
    name: "fails",
    async group(group: Group, next: Next) {
      if (left === 0 || !stops(group)) return next(group);
      left--;
      if (options?.runs) await next(group);
      return outcome;
    },
  };
}
