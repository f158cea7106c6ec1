import { UnsupportedError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import type { Signal, Signals, Subscription } from "../../../port/index.ts";
import { Delivery, type Listening } from "../../common/delivery.ts";
import { closedError } from "../../common/failures.ts";
import { checkMessage, checkTopic } from "../../common/messages.ts";
import { SharedSubscriptions } from "../../common/shared-subscriptions.ts";
import { BACKEND } from "../connections/failures.ts";
import type { Router, Subscriber } from "../router.ts";
import { before } from "./before.ts";
import { publishError, subscribeError } from "./failures.ts";
import { FlagKeeper } from "./flag-keeper.ts";
import { readGrant } from "./grant-message.ts";
import { changedKey, keyspacePattern } from "./keyspace.ts";
import type { Notifications, SignalLayout } from "./seam.ts";

/** How long the server may take to confirm a subscription or to take a message, in ms. */
const timeout = 5_000;
/** What a hub stands on. */
export interface HubOptions {
  readonly router: Router;
  readonly layout: SignalLayout;
  readonly time: Time;
  /** The number of the database that the records are in: part of the names of notifications. */
  readonly database: number;
  readonly notifications: Notifications;
}

/** A session, and what it listens to. */
interface Instance {
  readonly id: string;
  readonly members: Set<Member>;
  ended: boolean;
}

interface Member extends Listening {
  readonly instance: Instance;
  readonly to: Subscription;
  /** Ends it. */
  stop(): void;
}

/**
 * Carries signals to all sessions of a backend, over one subscriber: a channel for each session that waits for locks,
 * one for each topic, and a pattern of keyspace notifications for each space that is watched.
 */
export class SignalHub {
  readonly #options: HubOptions;
  readonly #channels: SharedSubscriptions<Member>;
  readonly #patterns: SharedSubscriptions<Member>;
  readonly #delivery = new Delivery();
  readonly #keeper: FlagKeeper;
  readonly #instances = new Map<string, Instance>();
  #subscriber: Subscriber | undefined;
  #watchers = 0;
  #closed = false;

  constructor(options: HubOptions) {
    this.#options = options;
    const { router, time } = options;
    this.#channels = new SharedSubscriptions({
      subscribe: async (name, deadline) => this.#connect().subscribe(name, deadline),
      unsubscribe: (name) => this.#subscriber?.unsubscribe(name),
    });
    this.#patterns = new SharedSubscriptions({
      subscribe: async (name, deadline) => this.#connect().subscribePattern(name, deadline),
      unsubscribe: (name) => this.#subscriber?.unsubscribePattern(name),
    });
    this.#keeper = new FlagKeeper({ router, time, timeout, onGap: () => this.#gap(this.#patterns) });
  }

  /** The signals of a session, until {@link drop}. */
  signalsOf(session: string): Signals {
    const known = this.#instances.get(session);
    const instance: Instance = known ?? { id: session, members: new Set(), ended: this.#closed };
    if (!this.#closed) this.#instances.set(session, instance);
    return {
      subscribe: async (to, listener) => this.#subscribe(instance, to, listener),
      publish: async (topic, body) => this.#publish(instance, topic, body),
    };
  }

  /** The session has ended, and what it subscribed to with it. */
  drop(session: string): void {
    const instance = this.#instances.get(session);
    if (!instance) return;
    this.#instances.delete(session);
    instance.ended = true;
    for (const member of [...instance.members]) member.stop();
  }

  /** Ends every subscription and the connection for them. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const session of [...this.#instances.keys()]) this.drop(session);
    await this.#subscriber?.close();
  }

  async #subscribe(instance: Instance, to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    if (instance.ended) throw closedError(BACKEND);
    const name = this.#nameOf(instance.id, to);
    const { time } = this.#options;
    let onStop: (error: Error) => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      onStop = reject;
    });
    const member: Member = {
      instance,
      to,
      listener,
      live: true,
      stop: () => {
        if (!member.live) return;
        member.live = false;
        this.#leave(member, name);
        onStop(closedError(BACKEND));
      },
    };
    const deadline = time.monotonic() + timeout;
    try {
      await before(Promise.race([this.#join(member, name, deadline), stopped]), deadline, time);
    } catch (error) {
      member.stop();
      throw subscribeError(error, name);
    }
    onStop = () => undefined;
    return member.stop;
  }

  async #join(member: Member, name: string, deadline: number): Promise<void> {
    member.instance.members.add(member);
    if (!("changes" in member.to)) return this.#channels.join(name, member, deadline);
    this.#watchers++;
    await this.#patterns.join(name, member, deadline);
    if (member.live && this.#options.notifications === "enable") await this.#keeper.start(deadline);
    if (this.#watchers === 0) this.#keeper.stop();
  }

  #leave(member: Member, name: string): void {
    member.instance.members.delete(member);
    if (!("changes" in member.to)) return this.#channels.leave(name, member);
    this.#patterns.leave(name, member);
    if (--this.#watchers === 0) this.#keeper.stop();
  }

  #nameOf(session: string, to: Subscription): string {
    const { layout, database, notifications } = this.#options;
    if ("topic" in to) {
      checkTopic(to.topic, BACKEND);
      return layout.topicChannel(to.topic);
    }
    if (!("changes" in to)) return layout.grantsChannel(session);
    if (notifications !== "off") return keyspacePattern(database, layout.head(to.changes));
    throw new UnsupportedError('changes are not told with notifications: "off"', { backend: "redis" });
  }

  #connect(): Subscriber {
    if (this.#closed) throw closedError(BACKEND);
    return (this.#subscriber ??= this.#options.router.subscriber({
      message: (channel, body, pattern) => {
        if (pattern === undefined) this.#heard(channel, body);
        else this.#changed(channel, body, pattern);
      },
      gap: () => {
        this.#gap(this.#channels);
        // Whoever watches may have to wait for the flags: what is told before would be too early.
        if (this.#options.notifications === "enable") this.#keeper.lost();
        else this.#gap(this.#patterns);
      },
    }));
  }

  #heard(channel: string, body: Buffer): void {
    const members = [...this.#channels.membersOf(channel)];
    const [first] = members;
    if (!first) return;
    const grant = "topic" in first.to ? undefined : readGrant(body, this.#options.layout);
    if (grant) this.#tell(members, { type: "granted", ...grant });
    else if ("topic" in first.to) this.#tell(members, { type: "message", body: body.toString("utf8") });
  }

  #changed(channel: string, body: Buffer, pattern: string): void {
    const { database, layout } = this.#options;
    const physical = changedKey(database, channel, body);
    const key = physical === undefined ? undefined : layout.parse(physical);
    if (!key) return;
    const wanted = ({ to }: Member): boolean =>
      "changes" in to && to.changes.id === key.space.id && key.key.startsWith(to.prefix);
    this.#tell([...this.#patterns.membersOf(pattern)].filter(wanted), { type: "changed", key });
  }

  #gap(to: SharedSubscriptions<Member>): void {
    this.#tell(to.everybody(), { type: "gap" });
  }

  #tell(members: Iterable<Member>, signal: Signal): void {
    for (const member of members) this.#delivery.tell(member, signal);
  }

  async #publish(instance: Instance, topic: string, body: string): Promise<void> {
    if (instance.ended) throw closedError(BACKEND);
    checkTopic(topic, BACKEND);
    checkMessage(body, BACKEND);
    const { router, time, layout } = this.#options;
    const channel = layout.topicChannel(topic);
    const deadline = time.monotonic() + timeout;
    let sent = false;
    try {
      if (!router.isReady("commands", undefined)) await router.ready(deadline);
      sent = true;
      await before(router.send("commands", undefined, ["PUBLISH", channel, body]), deadline, time);
    } catch (error) {
      throw publishError(error, sent);
    }
  }
}
