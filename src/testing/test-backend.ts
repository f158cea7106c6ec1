import { memoryBackend, MemoryServer } from "../backends/memory/index.ts";
import type { Duration } from "../base/durations.ts";
import { IndeterminateError, InvalidArgumentError, UnavailableError } from "../base/errors.ts";
import { findGrip } from "../client/index.ts";
import type {
  Backend,
  ExecuteCall,
  Group,
  Opened,
  Operation,
  Outcome,
  Page,
  Query,
  Session,
  Signals,
} from "../port/index.ts";
import { virtualTime, type VirtualTime } from "./virtual-time.ts";

/**
 * What a call asks of the store: state and cache `load` and `save` records and `delete` them, `list` pages through
 * them; locks `acquire`, `renew`, `release`, `inspect` and `steal` (forceRelease). A `touch` and a transaction that
 * writes are a `save`.
 */
export type StoreCall = "load" | "save" | "delete" | "list" | "acquire" | "renew" | "release" | "inspect" | "steal";

/**
 * How a call fails. `unavailable`: the store was not reached. `refused`: it was, and refuses such calls for now, as one
 * that is read-only or loading does. `indeterminate`: the request was sent and lost, nothing happened, and nobody can
 * know. `indeterminate-applied`: it took effect, and its reply was lost.
 */
export type StoreFailure = "unavailable" | "refused" | "indeterminate" | "indeterminate-applied";

/** Memory, for tests: its time is in your hands, and so are its failures. Each `connect` on it is another instance. */
export interface TestBackend extends Backend {
  readonly time: VirtualTime;
  /**
   * Moves the clock on and runs what comes due, each at its own time: expiry, renewals, timeouts, waits. Resolves when
   * nothing is left to run but what waits for a later time, or for the world outside.
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Ends the lease in the store, as if its time had passed there: guarded writes are refused, others can acquire. Its
   * holder learns of it as it would in production, at the next renewal. Nothing happens to a lease that is no longer
   * held. Rejects with InvalidArgumentError for what is no lease of an instance on this backend.
   */
  expire(lease: object): Promise<void>;
  /**
   * Lets the next call of that kind, by whichever instance, fail so; or the next `times` calls (default 1). Failures
   * of one kind queue. A write whose reply was lost is asked after, as on every backend: `save` may succeed all the
   * same, and so does `acquire`, which is asked again at once; with `times` of a hundred it is lost until its timeout,
   * so move the clock there. A cache whose `load` failed goes on without its store until that has answered, which its
   * `storeUp` tells.
   */
  failNext(call: StoreCall, failure: StoreFailure, options?: { readonly times?: number | undefined }): void;
}

/** A fresh, empty test backend. */
export function testBackend(): TestBackend {
  return new FailingMemory();
}

class FailingMemory implements TestBackend {
  readonly name = "test";
  readonly time = virtualTime();
  readonly #backend = memoryBackend({ server: new MemoryServer({ time: this.time }) });
  readonly #admin = this.#backend.session();
  readonly #sessions = new Set<string>();
  readonly #failures = new Failures();

  async open(): Promise<Opened> {
    return this.#backend.open();
  }

  session(): Session {
    const session = this.#backend.session();
    this.#sessions.add(session.id);
    return new FailingSession(session, this.#failures);
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }

  async advance(duration: Duration): Promise<void> {
    await this.time.advance(duration);
  }

  async expire(lease: object): Promise<void> {
    const grip = findGrip(lease);
    if (!grip || !this.#sessions.has(grip.instance.session.id)) {
      throw new InvalidArgumentError("lease is not a lease of an instance on this backend");
    }
    const { owner, grant } = grip;
    for (const lock of grip.locks) {
      // No time is left at once; the look at it passes the lock on to those who wait, as its own timer would.
      this.#admin.executeNow?.({ ops: [{ op: "extend", lock, owner, grant, ttl: 0 }] });
      this.#admin.executeNow?.({ ops: [{ op: "inspect", lock }] });
    }
    await this.time.advance(0);
  }

  failNext(call: StoreCall, failure: StoreFailure, options?: { readonly times?: number | undefined }): void {
    const times = options?.times ?? 1;
    if (!Number.isInteger(times) || times < 1)
      throw new InvalidArgumentError(`times must be a positive integer, got ${times}`);
    this.#failures.add(call, failure, times);
  }
}

/** Failures to come, by what fails. */
class Failures {
  readonly #queues = new Map<StoreCall, { readonly failure: StoreFailure; times: number }[]>();

  add(call: StoreCall, failure: StoreFailure, times: number): void {
    if (!names.has(call)) throw new InvalidArgumentError(`unknown call: it must be one of ${[...names].join(", ")}`);
    if (!kinds.has(failure))
      throw new InvalidArgumentError(`unknown failure: it must be one of ${[...kinds].join(", ")}`);
    const queue = this.#queues.get(call) ?? [];
    this.#queues.set(call, [...queue, { failure, times }]);
  }

  /** Whether {@link take} would give one. */
  awaits(group: Group): boolean {
    return this.#queues.size > 0 && callsOf(group).some((call) => this.#queues.has(call));
  }

  /** The failure of one of these calls, used up. */
  take(calls: readonly StoreCall[]): StoreFailure | undefined {
    for (const call of calls) {
      const queue = this.#queues.get(call);
      const next = queue?.[0];
      if (!queue || !next) continue;
      if (--next.times === 0) queue.shift();
      if (queue.length === 0) this.#queues.delete(call);
      return next.failure;
    }
    return undefined;
  }
}

class FailingSession implements Session {
  readonly id: string;
  readonly signals: Signals;
  readonly #session: Session;
  readonly #failures: Failures;

  constructor(session: Session, failures: Failures) {
    this.id = session.id;
    this.signals = session.signals as Signals;
    this.#session = session;
    this.#failures = failures;
  }

  /** What is to fail cannot be answered at once: it fails as it would on the way to a server. */
  executeNow(group: Group): Outcome | undefined {
    return this.#failures.awaits(group) ? undefined : this.#session.executeNow?.(group);
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    return Promise.all(groups.map(async (group, i) => this.#one(group, i, call)));
  }

  async page(query: Query, call: { readonly deadline: number }): Promise<Page> {
    if (this.#failures.take(["list"])) throw unavailable(false);
    return this.#session.page(query, call);
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  async #one(group: Group, i: number, call: ExecuteCall): Promise<Outcome> {
    const claimed = call.claim(i);
    const failure = claimed ? this.#failures.take(callsOf(group)) : undefined;
    if (failure === "unavailable" || failure === "refused")
      return { ok: false, why: "failed", sent: false, error: unavailable(failure === "refused") };
    if (failure === "indeterminate") return { ok: false, why: "failed", sent: true, error: lost() };
    const [outcome] = await this.#session.execute([group], { deadline: call.deadline, claim: () => claimed });
    return failure ? { ok: false, why: "failed", sent: true, error: lost() } : (outcome as Outcome);
  }
}

const names: ReadonlySet<StoreCall> = new Set([
  ...(["load", "save", "delete", "list", "acquire", "renew", "release", "inspect", "steal"] as const),
]);
const kinds: ReadonlySet<StoreFailure> = new Set([
  "unavailable",
  "refused",
  "indeterminate",
  "indeterminate-applied",
] as const);

/** What each operation counts as; a condition or a floor alone is part of the write beside it. */
const byOperation: Readonly<Record<Operation["op"], StoreCall | undefined>> = {
  get: "load",
  check: undefined,
  set: "save",
  touch: "save",
  delete: "delete",
  floor: undefined,
  acquire: "acquire",
  extend: "renew",
  release: "release",
  steal: "steal",
  inspect: "inspect",
};

/** The calls that a group is. Its reads count only where it does nothing else. */
function callsOf({ ops, guards }: Group): readonly StoreCall[] {
  // A holder that acquires its own lock under guard renews it, and tells the store who holds it since a hand-off.
  const renews = guards !== undefined && guards.length > 0;
  const calls = new Set(ops.map((op) => (renews && op.op === "acquire" ? "renew" : byOperation[op.op])));
  if (calls.size > 1) calls.delete("load");
  calls.delete(undefined);
  return [...calls] as StoreCall[];
}

function unavailable(refused: boolean): UnavailableError {
  return new UnavailableError("the test backend was told to be unavailable", { backend: "test", refused });
}

function lost(): IndeterminateError {
  return new IndeterminateError("the test backend was told to lose the reply", { backend: "test" });
}
