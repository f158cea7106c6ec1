import { setTimeout as pause } from "node:timers/promises";
import {
  ConflictError,
  FencedError,
  IndeterminateError,
  isHoldfastError,
  type Holdfast,
  type Lease,
} from "../../../src/entries/index.ts";
import type { GuardedWrite, LogLine, RegisterAction, RegisterOutcome } from "./history.ts";
import { Random } from "./random.ts";

/** What the records hold: nothing but the identity of the write. */
export interface Value {
  readonly id: string;
}

export interface WorkloadOptions {
  /** Names this instance; part of every identity that it writes. */
  readonly name: string;
  readonly seed: number;
  readonly registers: number;
  readonly locks: number;
  /** Calls at the same time. */
  readonly fibers: number;
  /** ms of a lease. */
  readonly ttl: number;
  /** ms that a call on the store may take, as `connect` was told. */
  readonly timeout: number;
  readonly log: (line: LogLine) => void;
  readonly stopped: () => boolean;
}

const expected: ReadonlySet<string> = new Set(["LEASE_LOST", "FENCED", "UNAVAILABLE", "INDETERMINATE"]);

const now = (): string => process.hrtime.bigint().toString();

/** Random calls on records, and guarded writes under locks, each one logged before it is made and after it returned. */
export async function runWorkload(hf: Holdfast, options: WorkloadOptions): Promise<void> {
  const registers = hf.state<Value>("registers");
  const guarded = hf.state<Value>("guarded");
  const lock = hf.lock("guarded");
  let n = 0;

  /** A call that must end in time, and of which only that is noted. */
  async function timed<T>(what: string, limit: number, call: () => Promise<T>): Promise<T> {
    const own = n++;
    options.log({ t: "begin", n: own, at: now(), what, limit });
    try {
      return await call();
    } finally {
      options.log({ t: "end", n: own, at: now() });
    }
  }

  async function register(random: Random): Promise<void> {
    const key = `r${random.int(0, options.registers)}`;
    const choice = random.int(0, 7);
    const entry =
      choice === 2 ? await timed("loadEntry", options.timeout, async () => registers.loadEntry(key)) : undefined;
    const call = n++;
    const id = `${options.name}-${call}`;
    const begin = (action: RegisterAction) => options.log({ t: "call", n: call, at: now(), key, action });
    const end = (outcome: RegisterOutcome) => options.log({ t: "reply", n: call, at: now(), outcome });
    try {
      switch (choice) {
        case 0: {
          begin({ do: "save", id });
          await registers.save(key, { id });
          return end({ is: "ok" });
        }
        case 1: {
          begin({ do: "create", id });
          await registers.save(key, { id }, { if: { absent: true } });
          return end({ is: "ok" });
        }
        case 2: {
          if (!entry) return;
          begin({ do: "replace", id, expected: entry.value.id });
          await registers.save(key, { id }, { if: entry });
          return end({ is: "ok" });
        }
        case 3: {
          let found: string | undefined;
          begin({ do: "update", id });
          const updated = await registers.update(key, (value) => {
            found = value.id;
            return { id };
          });
          return end(updated ? { is: "ok", found: found as string } : { is: "absent" });
        }
        case 4: {
          begin({ do: "delete" });
          return end((await registers.delete(key)) ? { is: "ok" } : { is: "absent" });
        }
        default: {
          begin({ do: "load" });
          return end({ is: "ok", found: (await registers.load(key))?.id ?? null });
        }
      }
    } catch (error) {
      if (error instanceof ConflictError) return end({ is: "conflict" });
      if (error instanceof IndeterminateError) return end({ is: "unknown" });
      if (isHoldfastError(error, "UNAVAILABLE")) return end({ is: "failed" });
      throw error;
    }
  }

  async function hold(random: Random): Promise<void> {
    const key = `g${random.int(0, options.locks)}`;
    const wait = random.int(0, options.ttl);
    const renew = random.next() < 0.5;
    const asked = now();
    const lease = await timed("tryAcquire", wait + options.timeout, async () =>
      lock.tryAcquire(key, { ttl: options.ttl, wait, renew }),
    );
    if (!lease) return;
    const held = n++;
    options.log({ t: "hold", n: held, asked, at: now(), key, fence: lease.fence.toString() });
    try {
      for (let i = random.int(1, 6); i > 0; i--) {
        const at = now(); // before the check: at this instant the lease was held
        lease.assertHeld();
        options.log({ t: "held", n: held, at });
        if ((await write(key, lease)) !== "ok") break;
      }
    } finally {
      // The wait for what names the lease, and the release itself.
      await timed("release", 2 * options.timeout, async () => lease.release());
    }
  }

  async function write(key: string, lease: Lease): Promise<GuardedWrite["outcome"]> {
    const entry = await timed("loadEntry", options.timeout, async () => guarded.loadEntry(key, { lease }));
    const call = n++;
    const id = `${options.name}-${call}`;
    options.log({
      t: "write",
      n: call,
      at: now(),
      key,
      id,
      fence: lease.fence.toString(),
      previous: entry?.value.id ?? null,
    });
    let outcome: GuardedWrite["outcome"] = "ok";
    try {
      await guarded.save(key, { id }, { lease });
    } catch (error) {
      if (error instanceof FencedError) outcome = "fenced";
      else if (error instanceof IndeterminateError) outcome = "unknown";
      else if (isHoldfastError(error, "UNAVAILABLE")) outcome = "failed";
      else throw error;
    }
    options.log({ t: "written", n: call, at: now(), outcome });
    return outcome;
  }

  async function fiber(index: number): Promise<void> {
    const random = new Random(options.seed * 1000 + index);
    while (!options.stopped()) {
      try {
        if (random.next() < 0.6) await register(random);
        else await hold(random);
      } catch (error) {
        // The lease is lost, or the store is away.
        if (!isHoldfastError(error) || !expected.has(error.code)) throw error;
        await pause(10); // refusals may come without any wait, and leave no turn to what ends them
      }
    }
  }

  await Promise.all(Array.from({ length: options.fibers }, (_, index) => fiber(index)));
}

/** What the store holds at the end, by record: those of both stores, whose keys differ. */
export async function finalState(
  hf: Holdfast,
  options: Pick<WorkloadOptions, "registers" | "locks">,
): Promise<Map<string, string | null>> {
  const final = new Map<string, string | null>();
  for (const [store, letter, count] of [
    ["registers", "r", options.registers],
    ["guarded", "g", options.locks],
  ] as const) {
    const keys = Array.from({ length: count }, (_, i) => `${letter}${i}`);
    const found = await hf.state<Value>(store).loadMany(keys);
    for (const key of keys) final.set(key, found.get(key)?.id ?? null);
  }
  return final;
}
