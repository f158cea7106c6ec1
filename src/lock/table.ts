import { ChurnMap, type Churned } from "../base/churn-map.ts";
import { isHoldfastError } from "../base/errors.ts";
import { isSameKey, type Key } from "../base/keys.ts";
import { LinkedList } from "../base/linked-list.ts";
import type { Time, Timer } from "../base/time.ts";
import { Deadlines } from "../client/deadlines.ts";
import type { Call, Closing, Instance } from "../client/index.ts";
import type { Capabilities, LockState, Signal } from "../port/index.ts";
import type { Campaign } from "./campaign.ts";
import { claimMs } from "./claim.ts";
import type { LocalQueue } from "./queue.ts";
import { QueueSpaces } from "./queues.ts";
import type { Several } from "./several.ts";
import type { Tenure } from "./tenure.ts";

/** How often a waiter asks where nobody wakes it, in ms. */
const pollMs = 100;
const longestTimer = 2 ** 31 - 1;

/** A name under which a campaign waits in the store's queue. It stays in its table for a while when that is over. */
class Contender implements Churned {
  readonly key: string;
  gone = false;
  campaign: Campaign | undefined = undefined;

  constructor(owner: string) {
    this.key = owner;
  }
}

/** Everything that the locks of one instance share: their queues, their schedule, what must end when the instance closes. */
export class LockTable implements Closing {
  readonly instance: Instance;
  readonly time: Time;
  /** Ends of leases and of waits, renewals and wake-ups: many on few timers, so those that are due together go together. */
  readonly schedule: Deadlines;
  /** What is held by this instance. */
  readonly tenures = new LinkedList<Tenure>();
  /** Calls that take several locks and have not settled. */
  readonly gathering = new Set<Several>();
  /** What elections do when the instance begins to close: those that pause go on, and leaders are told. */
  readonly campaigning = new Set<() => void>();
  /** Known once the backend was opened. */
  capabilities: Capabilities | undefined;
  /** Who waits in this instance, and who holds what it hands on. */
  readonly queues = new QueueSpaces();
  readonly #contenders = new ChurnMap((owner) => new Contender(owner));
  /** What goes on without a caller, how much of it, and whom to tell when it has ended. */
  #background = 0;
  #onQuiet: (() => void)[] = [];
  #waiters = 0;
  #awake: Timer | undefined;
  #listening: "no" | "starting" | "live" = "no";
  /** Once each, however often they ask until then. */
  readonly #onLive = new Set<() => void>();
  #unsubscribe: (() => void) | undefined;

  static readonly #tables = new WeakMap<Instance, LockTable>();

  static of(instance: Instance): LockTable {
    let table = LockTable.#tables.get(instance);
    if (!table) LockTable.#tables.set(instance, (table = new LockTable(instance)));
    return table;
  }

  private constructor(instance: Instance) {
    this.instance = instance;
    this.time = instance.time;
    this.schedule = new Deadlines(instance.time);
    instance.register(this);
  }

  /** The capabilities, after opening the backend if that has not been done. */
  async learn(call: Call): Promise<Capabilities> {
    return (this.capabilities ??= (await this.instance.opened(call)).capabilities);
  }

  /** The local queue of a lock, if anybody of this instance uses it. */
  queueOf(lock: Key): LocalQueue | undefined {
    return this.queues.find(lock.space.id)?.get(lock.key);
  }

  /** Counts a call that waits: while there is one, the process stays alive. */
  waiting(): void {
    if (++this.#waiters === 1) this.#stayAwake();
  }

  /** Ends what {@link waiting} counted. */
  waited(): void {
    if (--this.#waiters > 0) return;
    this.#awake?.clear();
    this.#awake = undefined;
  }

  #stayAwake(): void {
    this.#awake = this.time.after(longestTimer, () => this.#stayAwake(), { ref: true });
  }

  /** Keeps what goes on without a caller, so that closing can wait for it. It must not reject. */
  background(work: Promise<unknown>): void {
    this.#background++;
    void work.then(this.#ended);
  }

  readonly #ended = (): void => {
    if (--this.#background === 0) for (const quiet of this.#onQuiet.splice(0)) quiet();
  };

  /** Resolves after `ms`; with `ref`, the process stays alive until then. */
  async pause(ms: number, options: { readonly ref: boolean }): Promise<void> {
    await new Promise<void>((resolve) => {
      this.time.after(ms, resolve, options);
    });
  }

  /** A campaign waits in the store's queue: it is woken when it is granted the lock. */
  enlist(campaign: Campaign): void {
    this.#contenders.use(campaign.owner).campaign = campaign;
  }

  /** The same for one whose request is still under way; before anybody listens it is of no use, and costs nothing. */
  expect(campaign: Campaign): void {
    if (this.#listening !== "no") this.enlist(campaign);
  }

  /** A campaign is over, or goes on under another name. */
  dismiss(campaign: Campaign): void {
    this.#onLive.delete(campaign.onListening);
    const contender = this.#contenders.get(campaign.owner);
    if (!contender) return;
    contender.campaign = undefined;
    this.#contenders.leave(contender);
  }

  /**
   * When waiting campaigns ask again if nothing wakes them: on a grid, so that those of a process go in one call. Within five
   * eighths of a claim, so that one lost call does not cost the place.
   */
  nextRefresh(): number {
    const step = this.capabilities?.push === false ? pollMs : claimMs / 2;
    return Math.ceil((this.time.monotonic() + step / 4) / step) * step;
  }

  /**
   * Listens for grants from now on; calls `onLive` if that begins just now. Where it fails, waiters go by their timers and the
   * next one tries again.
   */
  listen(onLive: () => void): void {
    if (this.#listening === "live" || this.capabilities?.push !== true || !this.instance.session.signals) return;
    this.#onLive.add(onLive);
    if (this.#listening === "starting") return;
    this.#listening = "starting";
    this.background(this.#subscribe());
  }

  async #subscribe(): Promise<void> {
    try {
      this.#unsubscribe = await this.instance.subscribe({ grants: true }, (signal) => this.#hear(signal));
      this.#listening = "live";
    } catch (error) {
      this.#listening = "no";
      this.report("listen for grants", error);
    }
    const told = [...this.#onLive];
    this.#onLive.clear();
    if (this.#listening === "live") for (const onLive of told) onLive();
  }

  #hear(signal: Signal): void {
    if (signal.type === "granted") {
      const campaign = this.#contenders.get(signal.owner)?.campaign;
      if (campaign && isSameKey(campaign.lock, signal.lock)) campaign.granted(signal.grant);
    } else if (signal.type === "gap") {
      for (const { campaign } of this.#contenders.toArray()) campaign?.wake();
    }
  }

  /** The store was told to end these holds of a lock: those of this instance need not wait to be told so. */
  force(lock: Key, reason: string, ended: LockState | undefined): void {
    for (const tenure of this.tenures.toArray()) {
      const held = ended?.holders.some(({ owner, grant }) => owner === tenure.owner && grant === tenure.grant);
      if (held && tenure.locks.some((one) => isSameKey(one, lock))) tenure.lose("forced", { reason });
    }
  }

  /** Whether the store can still be asked: what failed before the instance closed is not tried again after. */
  isOpen(): boolean {
    try {
      this.instance.assertOpen();
      return true;
    } catch (error) {
      if (isHoldfastError(error, "UNAVAILABLE")) return false;
      throw error;
    }
  }

  /** Whether the instance still takes calls that wait or run functions. */
  isTaking(): boolean {
    try {
      this.instance.assertTaking();
      return true;
    } catch (error) {
      if (isHoldfastError(error, "UNAVAILABLE")) return false;
      throw error;
    }
  }

  /** Tells of a failure that no caller waits for. */
  report(what: string, error: unknown): void {
    this.instance.events.emit("error", { what, error });
  }

  async drain(): Promise<void> {
    for (const queue of this.queues.toArray()) queue.refuseAll();
    for (const several of this.gathering) several.expire();
    for (const end of this.campaigning) end();
  }

  async end(): Promise<void> {
    for (const tenure of this.tenures.toArray()) tenure.lose("closed", { release: true });
    while (this.#background > 0) await new Promise<void>((resolve) => this.#onQuiet.push(resolve));
    this.#unsubscribe?.();
  }
}
