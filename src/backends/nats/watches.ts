import { randomUUID } from "node:crypto";
import { systemTime as time, type Timer } from "../../base/time.ts";
import { StoreError } from "../store/index.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./driver.ts";

/** The pause before a watch begins anew, in ms. */
const againMs = 500;
/** How often the server says that it is there where it has nothing to tell, and how long it may be silent, in ms. */
const beatMs = 5_000;
const silenceMs = 15_000;
/** After so long without its listener the server forgets a consumer, in ms. */
const keptMs = 60_000;

/** What has come into the bucket. */
export interface Told {
  readonly name: string;
  /** Of the message in the stream. */
  readonly number: number;
  readonly body: string;
}

type Tell = (told?: Told) => Promise<void>;

/**
 * Who listens to what comes into the bucket, each by a consumer of its stream. The server numbers what it sends, so a
 * loss shows. (The watch of `@nats-io/kv` has timers that keep a process alive, and does not see that the last one was
 * lost.)
 */
export class Watches {
  readonly #connection: Connection;
  readonly #bucket: string;
  readonly #next: () => Promise<number>;
  readonly #watches = new Set<Watch>();

  /** `next` asks for the number of the message that comes next. */
  constructor(connection: Connection, bucket: string, next: () => Promise<number>) {
    this.#connection = connection;
    this.#bucket = bucket;
    this.#next = next;
  }

  /**
   * Tells what comes under the names that `filter` matches, one after another; nothing stands for what may have been
   * missed. Live when it resolves; the returned function ends it.
   */
  async follow(filter: string, headersOnly: boolean, tell: Tell): Promise<() => void> {
    const watch = new Watch(async (hear) => this.#consume(filter, headersOnly, hear), tell);
    await watch.begin().catch((error: unknown) => {
      watch.end();
      throw error;
    });
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.end();
    };
  }

  /** The connection or the bucket was away: all begin anew, and are told so. */
  beginAgain(): void {
    for (const watch of this.#watches) watch.beginAgain();
  }

  /** Has the server send to `hear` what comes from now on; the returned function ends it. */
  async #consume(filter: string, headersOnly: boolean, hear: Hear): Promise<() => void> {
    const stream = `KV_${this.#bucket}`;
    const prefix = `$KV.${this.#bucket}.`;
    const name = `holdfast-${randomUUID()}`;
    const start = await this.#next();
    const { nats } = this.#connection;
    const inbox = this.#connection.inbox();
    const subscription = nats.subscribe(inbox, {
      callback: (error, message) => hear(error ? undefined : heardOf(message, prefix)),
    });
    const config = {
      name,
      deliver_policy: "by_start_sequence",
      opt_start_seq: start,
      filter_subject: prefix + filter,
      headers_only: headersOnly,
      deliver_subject: inbox,
      ack_policy: "none",
      num_replicas: 1,
      idle_heartbeat: beatMs * 1e6,
      inactive_threshold: keptMs * 1e6,
    };
    try {
      const what = `CONSUMER.CREATE.${stream}.${name}.${prefix}${filter}`;
      const { error } = await this.#connection.ask(what, { stream_name: stream, config }, time.monotonic() + beatMs);
      if (error) throw new StoreError(error.description, { sent: false, refused: true });
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
    return () => {
      subscription.unsubscribe();
      const gone = this.#connection.ask(`CONSUMER.DELETE.${stream}.${name}`, {}, time.monotonic() + beatMs);
      gone.catch(() => undefined); // the server forgets it by itself
    };
  }
}

type Hear = (heard: Heard | undefined) => void;

/** How many messages the server has sent by then, with the last one unless it only says that it is there. */
interface Heard {
  readonly count: number;
  readonly told?: Told;
}

/** Undefined for what ends a watch, such as that its consumer was deleted. */
function heardOf(message: Message, prefix: string): Heard | undefined {
  const { headers, subject, reply = "" } = message;
  if (headers?.code === 100) return { count: Number(headers.get("Nats-Last-Consumer")) };
  // $JS.ACK, in some versions a domain and an account, stream, consumer, deliveries, number, count and more.
  const all = reply.split(".");
  const [number, count] = all.slice(all.length > 9 ? 7 : 5).map(Number);
  if (headers?.code || number === undefined || count === undefined) return undefined;
  return { count, told: { name: subject.slice(prefix.length), number, body: message.string() } };
}

/** What one listener follows: a consumer, and another one whenever something may have been lost. */
class Watch {
  readonly #consume: (hear: Hear) => Promise<() => void>;
  readonly #tell: Tell;
  #stop = (): void => undefined;
  #turn = 0;
  #telling: Promise<void> = Promise.resolve();
  #alarm: Timer | undefined;

  constructor(consume: (hear: Hear) => Promise<() => void>, tell: Tell) {
    this.#consume = consume;
    this.#tell = tell;
  }

  async begin(): Promise<void> {
    const mine = this.#leave();
    let told = 0;
    const stop = await this.#consume((heard) => {
      if (mine !== this.#turn) return;
      this.#expectMore(mine);
      const expected = heard?.told ? told + 1 : told;
      if (heard?.count !== expected) return this.#again(mine);
      told = heard.count;
      if (heard.told) this.#pass(mine, heard.told);
    });
    if (mine !== this.#turn) return stop();
    this.#stop = stop;
    this.#expectMore(mine);
  }

  beginAgain(): void {
    this.begin().then(
      () => this.#pass(this.#turn),
      () => this.#again(this.#turn),
    );
  }

  end(): void {
    this.#leave();
    this.#turn = NaN; // no turn is this one, nor any later
  }

  /** Ends what there is; returns the turn that begins. */
  #leave(): number {
    this.#stop();
    this.#stop = () => undefined;
    this.#alarm?.clear();
    return ++this.#turn;
  }

  #again(mine: number): void {
    if (mine !== this.#turn) return;
    this.#leave();
    this.#alarm = time.after(againMs, () => this.beginAgain());
  }

  /** A server that is silent has forgotten the consumer, or is away from the one that it is reached by. */
  #expectMore(mine: number): void {
    this.#alarm?.clear();
    this.#alarm = time.after(silenceMs, () => this.#again(mine));
  }

  #pass(mine: number, told?: Told): void {
    const tell = async (): Promise<void> => (mine === this.#turn ? this.#tell(told) : undefined);
    this.#telling = this.#telling.then(tell).catch(() => this.#again(mine));
  }
}
