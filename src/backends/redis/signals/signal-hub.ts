import { UnsupportedError, type HoldfastError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import type { Subscription } from "../../../port/index.ts";
import { closedError } from "../../common/failures.ts";
import { SharedSubscriptions } from "../../common/shared-subscriptions.ts";
import { SignalHub, signalTimeout, type Carrier, type Member } from "../../common/signal-hub.ts";
import { BACKEND } from "../connections/failures.ts";
import type { Router, Subscriber } from "../router.ts";
import { before } from "./before.ts";
import { publishError, subscribeError } from "./failures.ts";
import { FlagKeeper } from "./flag-keeper.ts";
import { readGrant } from "./grant-message.ts";
import { changedKey, keyspacePattern } from "./keyspace.ts";
import type { Notifications, SignalLayout } from "./seam.ts";

/** What a hub stands on. */
export interface HubOptions {
  readonly router: Router;
  readonly layout: SignalLayout;
  readonly time: Time;
  /** The number of the database that the records are in: part of the names of notifications. */
  readonly database: number;
  readonly notifications: Notifications;
}

/** The signals of all sessions of a backend. */
export function redisHub(options: HubOptions): SignalHub {
  return new SignalHub(BACKEND, options.time, (hub) => new Channels(hub, options));
}

/**
 * Carries signals over one subscriber: a channel for each session that waits for locks, one for each topic, and a
 * pattern of keyspace notifications for each space that is watched.
 */
class Channels implements Carrier {
  readonly #hub: SignalHub;
  readonly #options: HubOptions;
  readonly #channels: SharedSubscriptions<Member>;
  readonly #patterns: SharedSubscriptions<Member>;
  readonly #keeper: FlagKeeper;
  #subscriber: Subscriber | undefined;
  #watchers = 0;
  #closed = false;

  constructor(hub: SignalHub, options: HubOptions) {
    this.#hub = hub;
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
    this.#keeper = new FlagKeeper({ router, time, timeout: signalTimeout, onGap: () => this.#gap(this.#patterns) });
  }

  nameOf(session: string, to: Subscription): string {
    const { layout, database, notifications } = this.#options;
    if ("topic" in to) return layout.topicChannel(to.topic);
    if (!("changes" in to)) return layout.grantsChannel(session);
    if (notifications !== "off") return keyspacePattern(database, layout.head(to.changes));
    throw new UnsupportedError('changes are not told with notifications: "off"', { backend: BACKEND });
  }

  async join(name: string, member: Member, deadline: number): Promise<void> {
    if (!("changes" in member.to)) return this.#channels.join(name, member, deadline);
    this.#watchers++;
    await this.#patterns.join(name, member, deadline);
    if (member.live && this.#options.notifications === "enable") await this.#keeper.start(deadline);
    if (this.#watchers === 0) this.#keeper.stop();
  }

  leave(name: string, member: Member): void {
    if (!("changes" in member.to)) return this.#channels.leave(name, member);
    this.#patterns.leave(name, member);
    if (--this.#watchers === 0) this.#keeper.stop();
  }

  subscribeError(error: unknown, name: string): HoldfastError {
    return subscribeError(error, name);
  }

  async publish(topic: string, body: string, deadline: number): Promise<void> {
    const { router, time, layout } = this.#options;
    let sent = false;
    try {
      if (!router.isReady("commands", undefined)) await router.ready(deadline);
      sent = true;
      const publishing = router.send("commands", undefined, ["PUBLISH", layout.topicChannel(topic), body]);
      await before(publishing, deadline, time);
    } catch (error) {
      throw publishError(error, sent);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#subscriber?.close();
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
    if (grant) this.#hub.tell(members, { type: "granted", ...grant });
    else if ("topic" in first.to) this.#hub.tell(members, { type: "message", body: body.toString("utf8") });
  }

  #changed(channel: string, body: Buffer, pattern: string): void {
    const { database, layout } = this.#options;
    const physical = changedKey(database, channel, body);
    const key = physical === undefined ? undefined : layout.parse(physical);
    if (!key) return;
    const wanted = ({ to }: Member): boolean =>
      "changes" in to && to.changes.id === key.space.id && key.key.startsWith(to.prefix);
    this.#hub.tell([...this.#patterns.membersOf(pattern)].filter(wanted), { type: "changed", key });
  }

  #gap(to: SharedSubscriptions<Member>): void {
    this.#hub.tell(to.everybody(), { type: "gap" });
  }
}
