import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { drawId } from "../../base/ids.ts";
import { space, type Key, type Kind } from "../../base/keys.ts";
import type {
  Backend,
  Capabilities,
  Granted,
  Group,
  Guard,
  LockMode,
  LockState,
  Operation,
  Outcome,
  Payload,
  Result,
  Session,
  Signal,
  StoredRecord,
  Subscription,
} from "../../port/index.ts";
import type { CaseContext } from "../suite.ts";

/** The outcome of a group that failed for that reason. */
export type Failed<Why extends string> = Extract<Outcome, { ok: false; why: Why }>;

/** How long a case waits for a signal of the real server, in real ms. */
const patience = 5_000;

export function record(key: string, name = "records"): Key {
  return { space: space("state", "conformance", name), key };
}

export function lock(key: string, kind: Kind = "lock"): Key {
  return { space: space(kind, "conformance", "locks"), key };
}

/** What an acquire of {@link Client} may say beside lock and owner. */
export interface Acquiring {
  readonly ttl: number;
  readonly mode?: LockMode;
  readonly limit?: number;
  readonly claimMs?: number;
  readonly info?: string;
}

/** A session under test, with the words that cases are written in. */
export class Client {
  readonly backend: Backend;
  readonly session: Session;

  constructor(backend: Backend) {
    this.backend = backend;
    this.session = backend.session();
  }

  /** A new client of a new backend on the place of the case. */
  static of({ place }: CaseContext): Client {
    return new Client(place.backend());
  }

  async groups(groups: readonly Group[], claim: (i: number) => boolean = () => true): Promise<readonly Outcome[]> {
    const early = new Map<number, Outcome>();
    const settled = (i: number, outcome: Outcome): void => {
      assert.ok(!early.has(i) && i < groups.length, "an outcome is told once");
      early.set(i, outcome);
    };
    const deadline = this.backend.time.monotonic() + 30_000;
    const outcomes = await this.session.execute(groups, { deadline, claim, settled });
    for (const [i, outcome] of early) assert.deepEqual(outcomes[i], outcome, "what was told early holds");
    return outcomes;
  }

  async group(group: Group): Promise<Outcome> {
    const outcomes = await this.groups([group]);
    assert.equal(outcomes.length, 1, "one outcome for one group");
    return outcomes[0] as Outcome;
  }

  /** Runs a group that must succeed. */
  async ok(...ops: Operation[]): Promise<readonly Result[]> {
    return okOf(await this.group({ ops }));
  }

  /** Runs a group that must fail for that reason. */
  async refused<Why extends Failed<string>["why"]>(why: Why, group: Group): Promise<Failed<Why>> {
    return failedOf(why, await this.group(group));
  }

  async get(key: Key): Promise<StoredRecord | undefined> {
    return (await this.ok({ op: "get", key }))[0] as StoredRecord | undefined;
  }

  async stamped(key: Key): Promise<StoredRecord | undefined> {
    return (await this.ok({ op: "get", key, stamped: true }))[0] as StoredRecord | undefined;
  }

  /** Writes a value and gives its version. */
  async set(key: Key, value: Payload, options?: { readonly ttl?: number | "keep" }): Promise<string> {
    const id = drawId();
    await this.ok({ op: "set", key, id, value, ttl: options?.ttl });
    return id;
  }

  async tryAcquire(key: Key, owner: string, options: Acquiring): Promise<Outcome> {
    return this.group({ ops: [acquire(key, owner, options)] });
  }

  /** Acquires what must be free; the grant. */
  async acquire(key: Key, owner: string, options: Acquiring): Promise<number> {
    return grantOf(await this.tryAcquire(key, owner, options));
  }

  /** Queues for what must not be free. */
  async wait(key: Key, owner: string, options: Acquiring & { readonly claimMs: number }): Promise<Failed<"held">> {
    return failedOf("held", await this.tryAcquire(key, owner, options));
  }

  async extend(key: Key, owner: string, grant: number, ttl: number, raise?: number): Promise<Outcome> {
    return this.group({ ops: [{ op: "extend", lock: key, owner, grant, ttl, raise }] });
  }

  async release(key: Key, owner: string, markMs?: number): Promise<boolean> {
    return (await this.ok({ op: "release", lock: key, owner, markMs }))[0] as boolean;
  }

  async steal(key: Key, owner?: string): Promise<LockState> {
    return (await this.ok({ op: "steal", lock: key, owner }))[0] as LockState;
  }

  async inspect(key: Key): Promise<LockState> {
    return (await this.ok({ op: "inspect", lock: key }))[0] as LockState;
  }

  /** The owners that hold the lock, in the order of their names. */
  async holders(key: Key): Promise<readonly string[]> {
    return (await this.inspect(key)).holders.map((holding) => holding.owner).toSorted();
  }

  /** Runs a write under a guard. */
  async guarded(guard: Guard, key: Key, value: string): Promise<Outcome> {
    return this.group({ guards: [guard], ops: [{ op: "set", key, id: drawId(), value }] });
  }

  /** Listens until the place is closed. */
  async listen(to: Subscription): Promise<Heard> {
    const heard = new Heard();
    assert.ok(this.session.signals, "a backend that declares push or watch has signals");
    heard.stop = await this.session.signals.subscribe(to, (signal) => heard.signals.push(signal));
    return heard;
  }
}

/** What a subscription has been told. */
export class Heard {
  readonly signals: Signal[] = [];
  stop: () => void = () => undefined;

  /** Waits for a signal that `is` knows. */
  async next(what: string, is: (signal: Signal) => boolean): Promise<Signal> {
    const end = performance.now() + patience;
    for (;;) {
      const found = this.signals.find((signal) => is(signal));
      if (found) return found;
      assert.ok(performance.now() < end, `was not told of ${what}`);
      await pause(2);
    }
  }

  /** Waits until the lock was granted to `owner`. */
  async granted(owner: string): Promise<Signal> {
    return this.next(`the grant to ${owner}`, (signal) => signal.type === "granted" && signal.owner === owner);
  }

  /** Waits until a change of `key` was told. */
  async changed(key: string): Promise<Signal> {
    return this.next(`the change of ${key}`, (signal) => signal.type === "changed" && signal.key.key === key);
  }

  async message(body: string): Promise<Signal> {
    return this.next("the message", (signal) => signal.type === "message" && signal.body === body);
  }
}

export function acquire(key: Key, owner: string, options: Acquiring): Operation {
  const { ttl, mode = "exclusive", limit, claimMs, info = "" } = options;
  const wait = claimMs === undefined ? undefined : { claimMs };
  return { op: "acquire", lock: key, owner, mode, limit, ttl, info, ...(wait ? { wait } : {}) };
}

export function okOf(outcome: Outcome): readonly Result[] {
  if (!outcome.ok) assert.fail(`refused: ${describe(outcome)}`);
  return outcome.results;
}

function failedOf<Why extends Failed<string>["why"]>(why: Why, outcome: Outcome): Failed<Why> {
  assert.ok(!outcome.ok, `took effect, but must fail as ${why}`);
  assert.equal(outcome.why, why, describe(outcome));
  return outcome as Failed<Why>;
}

export function grantOf(outcome: Outcome): number {
  const { grant } = okOf(outcome)[0] as Granted;
  assert.ok(Number.isSafeInteger(grant) && grant > 0, `${grant} is an integer below 2^53`);
  return grant;
}

function describe(outcome: Failed<string>): string {
  return outcome.why === "failed" ? `failed: ${String(outcome.error)}` : `${outcome.why} at ${outcome.at}`;
}

/** Records are kept, and a read sees them: every backend but Null. */
export const keeps = (capabilities: Capabilities): boolean => capabilities.reads !== "eventual";
/** Locks exclude. */
export const excludes = (capabilities: Capabilities): boolean => capabilities.exclusion !== "none";
/** Groups of several keys, which have one tag in the cases. */
export const transacts = (capabilities: Capabilities): boolean =>
  keeps(capabilities) && capabilities.transact !== "none";
/** Lease checks within a write. */
export const guards = (capabilities: Capabilities): boolean =>
  excludes(capabilities) && capabilities.guard === "atomic";
