import { drawId } from "../../base/ids.ts";
import { StoreError } from "../store/index.ts";
import type {
  Answer,
  Cell,
  Change,
  Examined,
  Limit,
  Messages,
  Range,
  Read,
  Store,
  Transaction,
} from "../store/store.ts";
import { examineBucket, openBucket, type Opened } from "./bucket.ts";
import { Connection } from "./connection.ts";
import { api, type ApiError } from "./driver.ts";
import { cellOf, filterOf, messages, nameOf, topicOf } from "./keys.ts";
import { resolveOptions, type NatsOptions, type ResolvedOptions } from "./options.ts";
import { promised, type StreamInfo } from "./settings.ts";
import { Watches } from "./watches.ts";

/** When a cell may go, in ms since 1970. */
const untilHeader = "Holdfast-Until";
/**
 * How much longer the server keeps what has ended, and that a key was removed, in s: whoever reads it meanwhile tells
 * those who watch. The server itself tells nobody, and counts whole seconds from when a message comes.
 */
const keptS = 60;
/** No longer ttl is sent: the server's clock would run over, and the key end at once. */
const longestS = 100 * 365 * 86_400;
/** How long a look at the bucket may take, and the pause before another one, in ms. */
const lookMs = 5_000;
const againMs = 500;
/** Codes of a commit that finds another revision. */
const otherRevision = new Set([10_071, 10_164]);
/** Code of a server that failed to store a message: what became of it is known only where something is full. */
const storeFailed = 10_077;

const none = new Uint8Array();

/** What is under a name; without content it was removed. */
interface Last extends Cell {
  readonly until: number;
}

/** Cells as keys of a bucket: a revision is a message's number in the bucket's stream. */
export class NatsStore implements Store {
  readonly atomic = "one";
  readonly declares = promised;
  readonly messages: Messages = {
    tell: async (all, { deadline }) => {
      const until = Date.now();
      const sent = all.map(({ topic, body }) =>
        this.#publish(`${topicOf(topic)}.${drawId()}`, { content: Buffer.from(body), until }, 0, deadline),
      );
      await Promise.all(sent);
      if (!this.#opened?.endsKeys) await this.#forget(deadline).catch(asError); // else the next one does it
    },
    hear: async (topic, listener) =>
      this.#watches.follow(`${topicOf(topic)}.>`, false, async (told) => listener(told?.body)),
  };
  readonly #options: ResolvedOptions;
  readonly #connection: Connection;
  readonly #subject: string;
  readonly #watches: Watches;
  #opened: Opened | undefined;
  /** When messages were purged last, and the number that came next then. */
  #told = { seq: 0, at: -Infinity };
  #looking = false;
  #closed = false;

  constructor(options: NatsOptions) {
    this.#options = resolveOptions(options);
    this.#connection = new Connection(this.#options, () => void this.#lookAgain());
    this.#watches = new Watches(this.#connection, this.#options.bucket, async () => this.#nextNumber());
    this.#subject = `$KV.${this.#options.bucket}.`;
  }

  async open(limit: Limit): Promise<Opened> {
    return (this.#opened = await openBucket(this.#connection, this.#options, limit));
  }

  async examine(limit: Limit): Promise<Examined> {
    return examineBucket(this.#connection, this.#options, limit);
  }

  async read(keys: readonly string[], { deadline }: Limit): Promise<Read> {
    return { cells: await Promise.all(keys.map((key) => this.#read(nameOf(key), deadline).catch(asError))) };
  }

  async commit(transactions: readonly Transaction[], { deadline }: Limit): Promise<readonly Answer[]> {
    return Promise.all(
      transactions.map(({ changes: [change] }) => this.#change(change as Change, deadline).catch(asError)),
    );
  }

  /** Looks at every name of the space for each page: well enough for some ten thousand of them. */
  async scan({ prefix, after = "", most }: Range, { deadline }: Limit): Promise<readonly string[]> {
    const found = new Set<string>();
    // The server gives 100,000 at a time.
    for (let offset = 0, before = 0; ;) {
      const asked = { subjects_filter: this.#subject + filterOf(prefix), offset };
      const { state, total = 0 } = await this.#ask<Listing>("INFO", asked, deadline);
      const names = Object.keys(state.subjects ?? {});
      for (const name of names) {
        const cell = cellOf(name.slice(this.#subject.length));
        if (cell?.startsWith(prefix) && cell > after) found.add(cell);
      }
      // Where some have gone meanwhile, others have moved up.
      offset = total < before ? 0 : offset + names.length;
      before = total;
      if (offset >= total || names.length === 0) break;
    }
    return [...found].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, most);
  }

  async watch(prefix: string, listener: (key: string | undefined) => void): Promise<() => void> {
    let next = 0;
    return this.#watches.follow(filterOf(prefix), true, async (told) => {
      if (!told) return listener(undefined);
      const cell = cellOf(told.name);
      if (!cell?.startsWith(prefix)) return;
      // Of several servers any may tell of what the leader, which is asked then, has yet to take up.
      while (!this.#opened?.direct && next <= told.number) next = await this.#nextNumber();
      listener(cell);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection.close();
  }

  /** The connection or the bucket was away: looks whether the bucket is there, and makes it anew where it is lost. */
  async #lookAgain(): Promise<void> {
    const before = this.#opened;
    if (!before || this.#looking || this.#closed) return;
    this.#looking = true;
    try {
      const { domain } = await this.open({ deadline: performance.now() + lookMs });
      if (domain !== before.domain) warnOfLoss(this.#options.bucket);
      this.#watches.beginAgain();
    } catch {
      // Nobody was told anything yet.
      setTimeout(() => void this.#lookAgain(), againMs).unref();
    } finally {
      this.#looking = false;
    }
  }

  /** Messages that the server does not end are purged once they have been there for a minute. */
  async #forget(deadline: number): Promise<void> {
    const { seq, at } = this.#told;
    const now = performance.now();
    if (now < at + keptS * 1_000) return;
    this.#told = { seq: 0, at: now }; // one call at a time does it
    this.#told = { seq: await this.#nextNumber(), at: now };
    if (seq > 0) await this.#ask("PURGE", { filter: this.#subject + messages, seq }, deadline);
  }

  async #nextNumber(): Promise<number> {
    const { state } = await this.#ask<StreamInfo>("INFO", {}, performance.now() + lookMs);
    return state.last_seq + 1;
  }

  async #read(name: string, deadline: number): Promise<Cell | undefined> {
    const last = await this.#last(name, deadline);
    if (!last || last.content.byteLength === 0) return undefined;
    if (last.until > Date.now()) return last;
    // The server does not tell those who watch. Where that fails, the next one does it.
    const gone = { content: undefined, until: Infinity };
    await this.#publish(name, gone, Number(last.revision), deadline).catch(asError);
    return undefined;
  }

  /** The last message of a name. */
  async #last(name: string, deadline: number): Promise<Last | undefined> {
    const subject = this.#subject + name;
    if (this.#opened?.direct) {
      const asked = `${api}DIRECT.GET.KV_${this.#options.bucket}.${subject}`;
      const { headers, data } = await this.#connection.request(asked, none, deadline);
      if (headers?.code === 404) return undefined;
      if (!headers || headers.code >= 400) throw refusal(headers?.description);
      const until = Number(headers.get(untilHeader) || Infinity);
      return { content: data, revision: Number(headers.get("Nats-Sequence")), until };
    }
    const { message } = await this.#ask<Stored>("MSG.GET", { last_by_subj: subject }, deadline, 404);
    if (!message) return undefined;
    const [, until = Infinity] = new RegExp(`${untilHeader}: (\\d+)`).exec(textOf(message.hdrs)) ?? [];
    return { content: Buffer.from(message.data ?? "", "base64"), revision: message.seq, until: Number(until) };
  }

  async #change(change: Change, deadline: number): Promise<Answer> {
    const { key, revision, content } = change;
    const name = nameOf(key);
    if (content || revision !== undefined) {
      const done = await this.#publish(name, change, Number(revision ?? 0), deadline);
      if (done !== false || revision !== undefined) return done;
    }
    // That a key was removed is a message too, for a while.
    const last = await this.#last(name, deadline).catch(asError);
    if (last instanceof Error || last?.content.byteLength) return false; // it is to be looked at again
    if (!content) return [undefined];
    return last ? this.#publish(name, change, Number(last.revision), deadline) : false;
  }

  /** Writes if `expected` is the number of the last message of that name, where 0 is none. */
  async #publish(
    name: string,
    { content, until }: Pick<Change, "content" | "until">,
    expected: number,
    deadline: number,
  ): Promise<Answer> {
    const values: Record<string, string> = { "Nats-Expected-Last-Subject-Sequence": String(expected) };
    if (!content) values["KV-Operation"] = "PURGE";
    else if (until !== Infinity) values[untilHeader] = String(Math.ceil(until));
    const seconds = content ? Math.ceil(Math.max(0, until - Date.now()) / 1_000) : 0;
    if (this.#opened?.endsKeys && seconds < longestS) values["Nats-TTL"] = String(seconds + keptS);
    const message = await this.#connection.request(this.#subject + name, content ?? none, deadline, values);
    const { error, seq } = JSON.parse(message.string()) as { error?: ApiError; seq: number };
    if (!error) return [content ? seq : undefined];
    if (otherRevision.has(error.err_code)) return false;
    throw refusal(error.description, error.err_code === storeFailed && !/exceeded/.test(error.description));
  }

  /** Asks the server's API about the stream. An error of the code `missing` is an answer too. */
  async #ask<T>(what: string, asked: object, deadline: number, missing?: number): Promise<T> {
    const reply = await this.#connection.ask<T>(`STREAM.${what}.KV_${this.#options.bucket}`, asked, deadline);
    if (reply.error && reply.error.code !== missing) throw refusal(reply.error.description);
    return reply;
  }
}

interface Listing {
  readonly total?: number;
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
}

interface Stored {
  readonly message?: { readonly seq: number; readonly data?: string; readonly hdrs?: string };
}

const asError = (error: Error): Error => error;
const textOf = (base64 = ""): string => Buffer.from(base64, "base64").toString();

/** The server was reached and refuses: nothing was done, unless `sent`. */
function refusal(why = "NATS refuses", sent = false): StoreError {
  return new StoreError(why, { sent, refused: true });
}

function warnOfLoss(bucket: string): void {
  const text = `nats: the bucket ${bucket} was lost, with all that it held, and was made anew`;
  process.emitWarning(text, { type: "HoldfastWarning", code: "HOLDFAST_LOST" });
}
