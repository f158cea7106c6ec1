import { onAbort } from "../base/aborts.ts";
import { isHoldfastError, type LeaseLostReason } from "../base/errors.ts";
import { KeepAlive } from "../base/keep-alive.ts";
import { isSameKey, type Key } from "../base/keys.ts";
import { LinkedList, type Linked } from "../base/linked-list.ts";
import type { Time } from "../base/time.ts";
import { Deadlines } from "../client/deadlines.ts";
import type { Call, Closing, Instance } from "../client/index.ts";
import type { Capabilities, LockState } from "../port/index.ts";
import { Contenders } from "./contenders.ts";
import type { Losing } from "./tenant.ts";

/** A grant that this instance holds, as the host knows it. */
interface Held extends Linked<Held> {
  readonly locks: readonly Key[];
  readonly owner: string;
  readonly grant: number;
  /** Ends it here. */
  lose(why: LeaseLostReason, losing?: Losing): void;
}

/** A wait that must end when the instance begins to close. */
interface Draining {
  drain(): void;
}

/** How {@link LockHost.pause} pauses. */
export interface Pause {
  /** Whether the process stays alive meanwhile. */
  readonly ref: boolean;
  /** Ends the pause when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the pause ends when the instance begins to close. */
  readonly drains?: boolean | undefined;
}

/**
 * What all locks of one instance share: clock and deadlines, work without a caller, what is held, and what must end on
 * close.
 */
export class LockHost implements Closing {
  readonly instance: Instance;
  readonly time: Time;
  /**
   * Ends of leases and of waits, renewals and wake-ups. They share a few timers, so those due together run together.
   */
  readonly schedule: Deadlines;
  /** While a call waits, the process stays alive. */
  readonly keepAlive: KeepAlive;
  /** The owner ids that wait in the store's queues. */
  readonly contenders: Contenders;
  /** What this instance holds. */
  readonly held = new LinkedList<Held>();
  /** What must end when the instance begins to close. */
  readonly draining = new Set<Draining>();
  /** Known once the backend was opened. */
  capabilities: Capabilities | undefined;
  /** How much work without a caller is under way, and who waits for its end. */
  #background = 0;
  #onQuiet: (() => void)[] = [];

  static readonly #hosts = new WeakMap<Instance, LockHost>();

  static of(instance: Instance): LockHost {
    let host = LockHost.#hosts.get(instance);
    if (!host) LockHost.#hosts.set(instance, (host = new LockHost(instance)));
    return host;
  }

  private constructor(instance: Instance) {
    this.instance = instance;
    this.time = instance.time;
    this.keepAlive = new KeepAlive(instance.time);
    this.schedule = new Deadlines(instance.time);
    this.contenders = new Contenders(instance, (work) => this.background(work));
    instance.register(this);
  }

  /** The capabilities. Opens the backend if that has not been done. */
  async learn(call: Call): Promise<Capabilities> {
    return (this.capabilities ??= (await this.instance.opened(call)).capabilities);
  }

  /** Counts work that no caller waits for, so that a close can wait for it. It must not reject. */
  background(work: Promise<unknown>): void {
    this.#background++;
    void work.then(this.#ended);
  }

  readonly #ended = (): void => {
    if (--this.#background === 0) for (const quiet of this.#onQuiet.splice(0)) quiet();
  };

  /** Resolves after `ms`, or earlier: see {@link Pause}. Never rejects. */
  async pause(ms: number, { ref, signal, drains = false }: Pause): Promise<void> {
    await new Promise<void>((resolve) => {
      const draining = { drain: (): void => done() };
      const done = (): void => {
        timer.clear();
        this.draining.delete(draining);
        unheard();
        resolve();
      };
      const timer = this.time.after(ms, done, { ref });
      if (drains) this.draining.add(draining);
      const unheard = onAbort(signal, done);
      if (signal?.aborted) done();
    });
  }

  /** Ends the holds of a lock that the store was told to end, as far as they are of this instance. */
  force(lock: Key, reason: string, ended: LockState | undefined): void {
    for (const one of this.held.toArray()) {
      const hit = ended?.holders.some(({ owner, grant }) => owner === one.owner && grant === one.grant);
      if (hit && one.locks.some((held) => isSameKey(held, lock))) one.lose("forced", { reason });
    }
  }

  /** Whether the store can still be asked. Once the instance is closed, failed requests are not repeated. */
  isOpen(): boolean {
    return isAvailable(() => this.instance.assertOpen());
  }

  /** Whether the instance still takes calls that wait or run functions. */
  isTaking(): boolean {
    return isAvailable(() => this.instance.assertTaking());
  }

  /** Emits an error that no caller waits for. */
  report(what: string, error: unknown): void {
    this.instance.events.emit("error", { what, error });
  }

  async drain(): Promise<void> {
    for (const one of this.draining) one.drain();
  }

  async end(): Promise<void> {
    for (const one of this.held.toArray()) one.lose("closed", { release: true });
    while (this.#background > 0) await new Promise<void>((resolve) => this.#onQuiet.push(resolve));
    this.contenders.unsubscribe();
  }
}

function isAvailable(assert: () => void): boolean {
  try {
    assert();
    return true;
  } catch (error) {
    if (isHoldfastError(error, "UNAVAILABLE")) return false;
    throw error;
  }
}
