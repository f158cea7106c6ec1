import type { Timer } from "../../base/time.ts";
import { spaceOfId } from "../../base/keys.ts";
import { Delivery, type Listening } from "../common/delivery.ts";
import { checkTopic } from "../common/messages.ts";
import type { Signal, Subscription } from "../../port/index.ts";
import { WatchCache, type Watched } from "./meta.ts";
import type { Site } from "./site.ts";
import { head, readLog, type LogEntry } from "./log.ts";

/** Entries read of the log at a time, so that the event loop is not held up. */
const pageSize = 128;
/** How often the log is looked at though nobody said so: what a lost wake-up costs at most, in ms. */
const patience = 500;

type Listener = (signal: Signal) => void;

interface Subscriber extends Listening {
  readonly session: string;
  readonly to: Subscription;
  /** Where it began: what is in the log before is not for it. */
  readonly from: number;
}

/** Something that subscribers of this process want told. */
interface Watch {
  count: number;
  /** Where the log stood when it was registered; absent while nobody has, or could. */
  ready: Promise<number> | undefined;
}

/** Reads the log for all sessions of the process, and tells each what is for it. */
export class SignalHub {
  readonly #site: Site;
  readonly #onPatience: () => void;
  readonly #subscribers = new Set<Subscriber>();
  readonly #delivery = new Delivery();
  readonly #watched = new Map<Watched, Watch>();
  readonly #watches = new WatchCache();
  /** Not all is registered, as a gap has said; another gap follows once it is. */
  #lost = false;
  #retrying = false;
  #at = 0;
  #timer: Timer | undefined;

  /** `onPatience` is called with each look at the log that nobody asked for. */
  constructor(site: Site, onPatience: () => void) {
    this.#site = site;
    this.#onPatience = onPatience;
  }

  /** Whether anybody watches records, so that what expires should be told soon. */
  get watching(): boolean {
    return this.#watched.size > 0;
  }

  /** Adds a subscriber once what it wants is registered; ends it with the function returned. */
  async subscribe(session: string, to: Subscription, listener: Listener): Promise<() => void> {
    const what = watchedBy(to, this.#site.backend);
    const registered = what && (await this.#watch(what));
    const subscriber = { session, to, listener, live: true, from: registered ?? this.#head() };
    // Whoever comes first decides where reading starts; later ones skip what is before them.
    if (this.#subscribers.size === 0) {
      this.#at = subscriber.from;
      this.#wait();
    }
    this.#subscribers.add(subscriber);
    this.look();
    return () => this.#leave(subscriber);
  }

  /** Publishes to a topic. */
  async publish(topic: string, body: string): Promise<void> {
    // A subscription that has resolved is seen here.
    const heard = this.#site.reads?.snapshot(({ tables }) => this.#watches.read(tables.meta).topics.has(topic));
    if (heard === false) return;
    await this.#site.command({ do: "publish", topic, body });
  }

  /** Ends what a session subscribed to. */
  drop(session: string): void {
    for (const one of [...this.#subscribers]) if (one.session === session) this.#leave(one);
  }

  #leave(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    subscriber.live = false;
    const what = watchedBy(subscriber.to, this.#site.backend);
    if (what) this.#unwatch(what);
    if (this.#subscribers.size === 0) this.#timer?.clear();
  }

  /** Reads on in the log. */
  look(): void {
    const { reads } = this.#site;
    if (!reads || this.#subscribers.size === 0) return;
    const page = reads.snapshot(({ tables: { log, meta } }) => readLog(log, meta, this.#at, pageSize));
    if (!page) return;
    this.#at = page.next;
    if (page.missed) this.gap();
    for (const { at, entry } of page.entries) this.#tell(at, entry);
    if (page.entries.length === pageSize) setImmediate(() => this.look()).unref();
  }

  /** Something may have been missed. */
  gap(): void {
    for (const one of this.#subscribers) this.#delivery.tell(one, { type: "gap" });
  }

  /**
   * The commit thread started anew, or others took us for dead: registers everything again. What cannot be is a gap,
   * and tried again while somebody listens.
   */
  async renew(): Promise<void> {
    this.#forget();
    await this.#restore();
  }

  /** As {@link renew}, while there is nothing to register with: tried later. */
  lose(): void {
    this.#forget();
    if (!this.#lost) this.gap();
    this.#lost = true;
  }

  #forget(): void {
    for (const watch of this.#watched.values()) watch.ready = undefined;
  }

  /** Registers what is not. */
  async #restore(): Promise<void> {
    await Promise.allSettled(Array.from(this.#watched, ([what, watch]) => this.#register(what, watch)));
    const lost = [...this.#watched.values()].some(({ ready }) => ready === undefined);
    const told = lost && this.#lost;
    this.#lost = lost;
    if (!told) this.gap();
    this.look();
  }

  #retry(): void {
    if (!this.#lost || this.#retrying || !this.#site.reads) return;
    this.#retrying = true;
    void this.#restore().finally(() => (this.#retrying = false));
  }

  #tell(at: number, entry: LogEntry): void {
    for (const one of this.#subscribers) {
      const signal = at > one.from ? signalFor(one, entry) : undefined;
      if (signal) this.#delivery.tell(one, signal);
    }
  }

  async #watch(what: Watched): Promise<number> {
    const known = this.#watched.get(what);
    const watch: Watch = known ?? { count: 0, ready: undefined };
    if (!known) this.#watched.set(what, watch);
    watch.count++;
    try {
      const at = await this.#register(what, watch);
      return known ? this.#head() : at;
    } catch (error) {
      this.#unwatch(what);
      throw error;
    }
  }

  /** Registers a watch, unless that was done or is under way. */
  #register(what: Watched, watch: Watch): Promise<number> {
    if (watch.ready) return watch.ready;
    const ready = this.#site.command({ do: "watch", what, on: true }) as Promise<number>;
    watch.ready = ready;
    ready.catch(() => {
      // The next one tries again.
      if (watch.ready === ready) watch.ready = undefined;
    });
    return ready;
  }

  #unwatch(what: Watched): void {
    const watch = this.#watched.get(what);
    if (!watch || --watch.count > 0) return;
    this.#watched.delete(what);
    // Should it fail, others tell us a little too much until this process ends.
    this.#site.command({ do: "watch", what, on: false }).catch(() => undefined);
  }

  #head(): number {
    return this.#site.reads?.snapshot(({ tables }) => head(tables.meta)) ?? this.#at;
  }

  #wait(): void {
    this.#timer?.clear();
    this.#timer = this.#site.time.after(patience, () => {
      if (this.#subscribers.size === 0) return;
      this.#onPatience();
      this.#retry();
      this.look();
      this.#wait();
    });
  }
}

/** What an entry says to a subscriber, if it is for it. */
function signalFor({ session, to }: Subscriber, entry: LogEntry): Signal | undefined {
  if (entry.type === "granted") {
    const space = "grants" in to && entry.session === session ? spaceOfId(entry.lock) : undefined;
    if (!space) return undefined;
    return { type: "granted", lock: { space, key: entry.lock.slice(space.id.length) }, owner: entry.owner };
  }
  if (entry.type === "message") {
    return "topic" in to && to.topic === entry.topic ? { type: "message", body: entry.body } : undefined;
  }
  if (!("changes" in to) || !entry.key.startsWith(to.changes.id + to.prefix)) return undefined;
  return { type: "changed", key: { space: to.changes, key: entry.key.slice(to.changes.id.length) } };
}

function watchedBy(to: Subscription, backend: string): Watched | undefined {
  if ("grants" in to) return undefined;
  if ("changes" in to) return `s${to.changes.id}`;
  checkTopic(to.topic, backend);
  return `t${to.topic}`;
}
