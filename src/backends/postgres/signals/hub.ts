import { drawId } from "../../../base/ids.ts";
import {
  IndeterminateError,
  isHoldfastError,
  UnavailableError,
  UnsupportedError,
  type HoldfastError,
} from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import type { Opened, Subscription } from "../../../port/index.ts";
import type { Opening } from "../../common/opening.ts";
import { SharedSubscriptions } from "../../common/shared-subscriptions.ts";
import { SignalHub, type Carrier, type Member } from "../../common/signal-hub.ts";
import type { SqlSignals } from "../../sql/backend.ts";
import { SqlError } from "../../sql/client.ts";
import type { TableNames } from "../../sql/identifiers.ts";
import { textArray } from "../arrays.ts";
import type { PostgresClient } from "../client.ts";
import { Channels, grantsName, nameOf, topicName, watchedBy } from "./channels.ts";
import { Ear } from "./ear.ts";
import { grantPayload, MessageReader, messageParts, readChanges, readGrant } from "./payloads.ts";
import { notice, watchTexts } from "./telling.ts";
import { Watchers } from "./watchers.ts";

const backend = "postgres";

/** What the signals of a backend stand on. */
export interface PostgresSignalsOptions {
  readonly time: Time;
  readonly client: PostgresClient;
  readonly names: TableNames;
  readonly opening: Pick<Opening<Pick<Opened, "domain">>, "opened" | "openBefore">;
}

/** The signals of all sessions of a backend. */
export function postgresSignals(options: PostgresSignalsOptions): SqlSignals {
  const { names, opening } = options;
  // A copy of a store has its domain.
  const channelsOf = ({ domain }: Pick<Opened, "domain">): Channels =>
    new Channels(JSON.stringify([domain, names.schema, names.prefix]));
  let channels: Channels | undefined;
  const open = async (deadline: number): Promise<Channels> =>
    (channels ??= channelsOf(await opening.openBefore(deadline)));
  return {
    hub: new SignalHub(backend, options.time, (hub) => new PostgresSignals(hub, options, open)),
    tell(granted) {
      const known = (channels ??= channelsOf(opening.opened as Pick<Opened, "domain">));
      const to = granted.map(({ session }) => known.of(grantsName(session)));
      const payloads = granted.map((one) => grantPayload(one.lock, one));
      return { text: notice, values: [textArray(to), textArray(payloads)] };
    },
  };
}

/**
 * Carries signals over one connection that listens: to a channel for each session that waits for locks, one for each
 * topic, and one for each space that is watched, whose watchers are registered so that writes tell of it.
 */
class PostgresSignals implements Carrier {
  readonly #hub: SignalHub;
  readonly #options: PostgresSignalsOptions;
  /** Opens the backend, if need be; its channels. Rejects with a HoldfastError. */
  readonly #open: (deadline: number) => Promise<Channels>;
  readonly #names: SharedSubscriptions<Member>;
  /** What is listened to, by channel. */
  readonly #heard = new Map<string, { readonly name: string; readonly messages: MessageReader }>();
  readonly #watchers: Watchers;
  #channels: Channels | undefined;
  #ear: Ear | undefined;

  constructor(hub: SignalHub, options: PostgresSignalsOptions, open: (deadline: number) => Promise<Channels>) {
    this.#hub = hub;
    this.#options = options;
    this.#open = open;
    const { time, client, names } = options;
    this.#names = new SharedSubscriptions({
      subscribe: async (name, deadline) => this.#listen(name, deadline),
      unsubscribe: (name) => this.#unlisten(name),
    });
    this.#watchers = new Watchers({
      ...{ time, client },
      texts: watchTexts(names),
      watcher: drawId(),
      gap: (space) => hub.tell(this.#names.membersOf(nameOf("", { changes: space, prefix: "" })), { type: "gap" }),
    });
  }

  nameOf(session: string, to: Subscription): string {
    return nameOf(session, to);
  }

  async join(name: string, member: Member, deadline: number): Promise<void> {
    this.#channels = await this.#open(deadline);
    if (member.live) await this.#names.join(name, member, deadline);
  }

  leave(name: string, member: Member): void {
    this.#names.leave(name, member);
  }

  subscribeError(error: unknown): HoldfastError {
    return failureOf(error, "the subscription failed");
  }

  async publish(topic: string, body: string, deadline: number): Promise<void> {
    const channels = await this.#open(deadline);
    await this.#notify(channels.of(topicName(topic)), messageParts(drawId(), body), deadline);
  }

  async close(): Promise<void> {
    this.#ear?.close();
    await this.#watchers.close();
  }

  async #listen(name: string, deadline: number): Promise<void> {
    const channels = this.#channels as Channels;
    const channel = channels.of(name);
    this.#heard.set(channel, { name, messages: new MessageReader() });
    await this.#listening(channels).listen(channel, deadline);
    const space = watchedBy(name);
    if (space) await this.#watchers.add(space, channel);
  }

  #unlisten(name: string): void {
    const channel = (this.#channels as Channels).of(name);
    this.#heard.delete(channel);
    this.#ear?.unlisten(channel);
    const space = watchedBy(name);
    if (space) this.#watchers.remove(space);
  }

  #listening(channels: Channels): Ear {
    const { time, client } = this.#options;
    const channel = channels.of(`p${drawId()}`);
    return (this.#ear ??= new Ear({
      ...{ time, channel },
      listener: (listening) => client.listener(listening),
      notify: async (payload, deadline) => this.#notify(channel, [payload], deadline),
      notified: (to, payload) => this.#hear(to, payload),
      gap: () => this.#gap(),
    }));
  }

  #hear(channel: string, payload: string): void {
    const heard = this.#heard.get(channel);
    if (!heard) return;
    const members = [...this.#names.membersOf(heard.name)];
    const [first] = members;
    if (!first) return;
    if ("topic" in first.to) {
      for (const signal of heard.messages.take(payload)) this.#hub.tell(members, signal);
    } else if ("changes" in first.to) {
      const space = first.to.changes;
      for (const key of readChanges(payload)) {
        const wanted = members.filter(({ to }) => "changes" in to && key.startsWith(to.prefix));
        this.#hub.tell(wanted, { type: "changed", key: { space, key } });
      }
    } else {
      const grant = readGrant(payload);
      if (grant) this.#hub.tell(members, { type: "granted", ...grant });
    }
  }

  #gap(): void {
    for (const [channel, { name }] of this.#heard) this.#heard.set(channel, { name, messages: new MessageReader() });
    this.#hub.tell(this.#names.everybody(), { type: "gap" });
  }

  async #notify(channel: string, payloads: readonly string[], deadline: number): Promise<void> {
    const values = [textArray(payloads.map(() => channel)), textArray(payloads)];
    try {
      await this.#options.client.write(() => ({ text: notice, values }), { deadline });
    } catch (error) {
      throw failureOf(error, "the message could not be sent");
    }
  }
}

/** What a failure means to one who subscribes or publishes. */
function failureOf(error: unknown, what: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  const message = error instanceof Error ? `${what}: ${error.message}` : what;
  const context = { backend, cause: error };
  if (error instanceof SqlError && error.mayHaveWritten) {
    return new IndeterminateError("the message was sent, and no reply came: it may have been told", context);
  }
  if (error instanceof SqlError && error.failure === "refused") return new UnsupportedError(message, context);
  return new UnavailableError(message, context);
}
