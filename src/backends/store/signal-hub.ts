import { UnsupportedError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { spaceOfId, type Key, type Space } from "../../base/keys.ts";
import type { Signal, Signals, Subscription } from "../../port/index.ts";
import type { Time } from "../../base/time.ts";
import { before } from "../common/deadline.ts";
import { Delivery } from "../common/delivery.ts";
import { closedError, lateError } from "../common/failures.ts";
import { checkMessage, checkTopic } from "../common/messages.ts";
import type { Passed } from "./cell-view.ts";
import { failureOf } from "./store-error.ts";
import { contentOf, textOf } from "./content.ts";
import type { Limit, Message, Messages, Store } from "./store.ts";

/** For how long a message is kept that goes through a cell, in ms. */
const keptMs = 60_000;

type Listener = (signal: Signal) => void;

/** How messages go: the store's own way, or through cells that are watched. */
export function messagesOf(store: Store, wall: () => number, limit: () => Limit): Messages | undefined {
  const { messages, watch } = store;
  if (messages) return messages;
  if (!watch) return undefined;
  return {
    async tell(all, until) {
      const changes = all.map(({ topic, body }) => {
        const key = `${cellOf(topic)}${drawId()}`;
        return { key, revision: undefined, content: contentOf(body), until: wall() + keptMs };
      });
      const answers = await store.commit(
        changes.map((change) => ({ checks: [], changes: [change] })),
        until,
      );
      for (const answer of answers) if (answer instanceof Error) throw answer;
    },
    async hear(topic, listener) {
      return watch.call(store, cellOf(topic), (key) => {
        if (key === undefined) listener(undefined);
        else void readMessage(store, key, listener, limit());
      });
    },
  };
}

async function readMessage(
  store: Store,
  key: string,
  listener: (body: string | undefined) => void,
  limit: Limit,
): Promise<void> {
  let body: string | undefined;
  try {
    const { cells } = await store.read([key], limit);
    const [cell] = cells;
    // It has ended, which is a change too.
    if (!cell) return;
    if (cell instanceof Error) throw cell;
    body = textOf(cell.content);
  } catch {
    // What it said is lost: `undefined` says so.
  }
  listener(body);
}

/** No space's id begins with it, and no topic's is the beginning of another's. */
const cellOf = (topic: string): string => `!${topic.length}:${topic}`;
const grantsTopic = (session: string): string => `g${session}`;
const topicOf = (topic: string): string => `t${topic}`;

/** Has the sessions told whose waiters were granted a lock. Best effort: who is not told asks in time. */
export function tellPassed(messages: Messages, passed: readonly Passed[], limit: Limit): void {
  const all = passed.map(({ lock, owner, grant, session }): Message => {
    return { topic: grantsTopic(session), body: JSON.stringify([lock.space.id, lock.key, owner, grant]) };
  });
  messages.tell(all, limit).catch(() => undefined);
}

/** The wake-up channel of one session. */
export class SignalHub implements Signals {
  readonly #backend: string;
  readonly #store: Store;
  readonly #messages: Messages;
  readonly #session: string;
  readonly #open: () => Promise<unknown>;
  readonly #time: Time;
  readonly #limit: () => Limit;
  readonly #delivery = new Delivery();
  readonly #stops = new Set<() => void>();
  #ended = false;

  constructor(options: {
    readonly backend: string;
    readonly store: Store;
    readonly messages: Messages;
    readonly session: string;
    readonly open: () => Promise<unknown>;
    readonly time: Time;
    readonly limit: () => Limit;
  }) {
    this.#backend = options.backend;
    this.#store = options.store;
    this.#messages = options.messages;
    this.#session = options.session;
    this.#open = options.open;
    this.#time = options.time;
    this.#limit = options.limit;
  }

  async subscribe(to: Subscription, listener: Listener): Promise<() => void> {
    this.#assertOpen();
    await this.#open();
    if ("topic" in to) checkTopic(to.topic, this.#backend);
    const listening = { listener, live: true };
    const tell: Listener = (signal) => this.#delivery.tell(listening, signal);
    const heard = this.#listen(to, tell);
    const leave = await this.#asked(async () => heard).catch((error: unknown) => {
      // One that comes too late is nobody's.
      heard.then(
        (late) => late(),
        () => undefined,
      );
      throw error;
    });
    const stop = (): void => {
      if (!listening.live) return;
      listening.live = false;
      leave();
      this.#stops.delete(stop);
    };
    this.#stops.add(stop);
    if (this.#ended) stop();
    return stop;
  }

  async publish(topic: string, body: string): Promise<void> {
    this.#assertOpen();
    checkTopic(topic, this.#backend);
    checkMessage(body, this.#backend);
    await this.#open();
    await this.#asked(async () => this.#messages.tell([{ topic: topicOf(topic), body }], this.#limit()));
  }

  end(): void {
    this.#ended = true;
    for (const stop of [...this.#stops]) stop();
  }

  async #listen(to: Subscription, tell: Listener): Promise<() => void> {
    if ("grants" in to) {
      return this.#messages.hear(grantsTopic(this.#session), (body) => tell(grantedOf(body) ?? { type: "gap" }));
    }
    if ("topic" in to) {
      return this.#messages.hear(topicOf(to.topic), (body) =>
        tell(body === undefined ? { type: "gap" } : { type: "message", body }),
      );
    }
    return this.#watch(to.changes, to.prefix, tell);
  }

  async #watch(space: Space, prefix: string, tell: Listener): Promise<() => void> {
    const store = this.#store;
    if (!store.watch)
      throw new UnsupportedError(`${this.#backend} does not tell of changes`, { backend: this.#backend });
    return store.watch(space.id + prefix, (cell) => {
      tell(
        cell === undefined ? { type: "gap" } : { type: "changed", key: { space, key: cell.slice(space.id.length) } },
      );
    });
  }

  /** The store's own promise need not settle. */
  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    const late = (): Error => lateError(this.#backend);
    try {
      return await before(ask(), { time: this.#time, ...this.#limit(), late, ref: true });
    } catch (error) {
      throw failureOf(error, this.#backend);
    }
  }

  #assertOpen(): void {
    if (this.#ended) throw closedError(this.#backend);
  }
}

/** Undefined for what is no message of ours, and where something was missed. */
function grantedOf(body: string | undefined): Signal | undefined {
  if (body === undefined) return undefined;
  try {
    const [id, key, owner, grant] = JSON.parse(body) as [string, string, string, number];
    const space = spaceOfId(id);
    const lock: Key | undefined = space && { space, key };
    return lock && { type: "granted", lock, owner, grant };
  } catch {
    return undefined;
  }
}
