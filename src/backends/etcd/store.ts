import { InvalidArgumentError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { StoreError } from "../store/index.ts";
import type {
  Answer,
  Cell,
  Change,
  Declares,
  Examined,
  Limit,
  Range,
  Read,
  Revision,
  Store,
  Transaction,
} from "../store/store.ts";
import { CallError, Servers, type Message, type Method } from "./client/index.ts";
import { examineServers } from "./examine.ts";
import { Leases, momentNow, type Moment } from "./leases.ts";
import type { ResolvedOptions } from "./options.ts";
import { Watching } from "./watching.ts";

const txn: Method = { path: "KV/Txn", asks: "Txn", gets: "Txned" };
const range: Method = { path: "KV/Range", asks: "Range", gets: "Ranged" };
const grant: Method = { path: "Lease/LeaseGrant", asks: "Grant", gets: "Granted" };

/** What a request may have by a server's defaults: operations, one deep in another counted together, and bytes. */
const mostOperations = 128;
const mostBytes = 1_400_000;
/** What is compared: the revision of the last change, 0 where there is none; and the content. */
const revisionIs = 2;
const contentIs = 3;

const declares: Declares = {
  exclusion: "exact",
  fence: "durable",
  reads: "linearizable",
  durability: "disk",
  clock: "none",
  ttlGranularity: 1,
  shared: "network",
  watch: "log",
  maxContent: 1024 * 1024 + 4_096,
  mostCells: 64,
  mostRead: 100,
};

/** Cells as keys of etcd, each with the revision of its last change. */
export class EtcdStore implements Store {
  readonly atomic = "any";
  readonly declares = declares;
  readonly #servers: Servers;
  readonly #prefix: string;
  readonly #leases: Leases;
  readonly #watching = new Set<Watching>();
  #data: Data = { domain: "", life: 0, since: 0 };

  constructor(options: ResolvedOptions) {
    this.#servers = new Servers(options);
    this.#prefix = options.prefix;
    this.#leases = new Leases(async (ttl, limit) => {
      const { id } = await this.#servers.call(grant, { ttl }, limit);
      return id as number | bigint;
    });
  }

  async open(limit: Limit): Promise<{ domain: string }> {
    const key = this.#key("!domain");
    const { done } = await this.#servers.call(
      txn,
      {
        compare: [{ target: revisionIs, key, revision: 0 }],
        success: [{ put: { key, content: Buffer.from(`${drawId()} ${Date.now()}`) } }, { range: { key } }],
        failure: [{ range: { key } }],
      },
      limit,
    );
    const [cell] = (done as readonly unknown[] as readonly Done[]).flatMap(({ range: found }) => found?.cells ?? []);
    const domain = String(cell?.content);
    if (domain !== this.#data.domain) {
      this.#data = { domain, life: this.#data.life + 1, since: Number(domain.split(" ")[1]) };
      this.#leases.forget();
    }
    return { domain };
  }

  async read(keys: readonly string[], limit: Limit): Promise<Read> {
    const asked = keys.map((key): Message => ({ range: { key: this.#key(key) } }));
    const data = this.#data;
    const { done, life, revision } = await this.#atomically(asked, limit, { data, puts: false });
    return {
      cells: done.map(({ range: found }) => found?.cells?.[0] && cellOf(found.cells[0], life)),
      order: data.since + revision,
    };
  }

  async commit(transactions: readonly Transaction[], limit: Limit): Promise<readonly Answer[]> {
    const now = momentNow();
    const answers: Promise<readonly Answer[]>[] = [];
    let some: Transaction[] = [];
    let deepest = 0;
    for (const one of transactions) {
      const cells = one.checks.length + one.changes.length;
      // One more is compared: whose data they are.
      if (some.length + 1 + Math.max(deepest, cells) > mostOperations) {
        answers.push(this.#commit(some, now, limit));
        [some, deepest] = [[], 0];
      }
      some.push(one);
      deepest = Math.max(deepest, cells);
    }
    answers.push(this.#commit(some, now, limit));
    return (await Promise.all(answers)).flat();
  }

  async scan({ prefix, after, most }: Range, limit: Limit): Promise<readonly string[]> {
    const { key, end } = this.#range(prefix);
    const asked = { key: after === undefined ? key : this.#key(`${after}\0`), end, limit: most, keysOnly: 1 };
    const { cells = [] } = (await this.#servers.call(range, asked, limit)) as Ranged;
    return cells.map((cell) => this.#own(cell.key));
  }

  async watch(prefix: string, listener: (key: string | undefined) => void): Promise<() => void> {
    const watching = new Watching(this.#servers, this.#range(prefix), (key) => listener(key && this.#own(key)));
    this.#watching.add(watching);
    await watching.start();
    return () => {
      watching.stop();
      this.#watching.delete(watching);
    };
  }

  async examine(limit: Limit): Promise<Examined> {
    return examineServers(this.#servers, this.#prefix, limit);
  }

  async close(): Promise<void> {
    for (const watching of this.#watching) watching.stop();
    this.#servers.close();
  }

  /** Transactions as one of etcd, in which each has its own conditions: they share an entry of the log, and a flush. */
  async #commit(all: readonly Transaction[], now: Moment, limit: Limit): Promise<readonly Answer[]> {
    const sizes = all.map(({ changes }) => changes.reduce((sum, { content }) => sum + (content?.byteLength ?? 0), 0));
    if (sizes.some((size) => size > mostBytes)) {
      if (all.length > 1) return (await Promise.all(all.map((one) => this.#commit([one], now, limit)))).flat();
      throw new InvalidArgumentError(`a group may have ${mostBytes} bytes`, { backend: "etcd" });
    }
    const data = this.#data;
    const isOfOther = ({ checks, changes }: Transaction): boolean =>
      [...checks, ...changes].some(({ revision }) => revision !== undefined && lifeOf(revision) !== data.life);
    const sent = all.filter((one) => !isOfOther(one));
    const operations = await Promise.all(
      sent.map(async (one): Promise<Message> => ({ txn: await this.#txn(one, now, limit) })),
    );
    const puts = sent.some(({ changes }) => changes.some(({ content }) => content));
    let done: readonly (Committed | CallError)[];
    try {
      const { life, revision, ...answer } = await this.#atomically(operations, limit, { data, puts });
      done = answer.done.map(({ txn: its }) => ({ isDone: its?.succeeded === 1, revision: `${life}.${revision}` }));
    } catch (error) {
      const isFull = error instanceof CallError && /space exceeded/.test(error.message);
      const isLate = error instanceof CallError && error.code === 5;
      if (isLate) this.#leases.forget();
      // A lease had ended meanwhile.
      if (isLate && performance.now() < limit.deadline) return this.#commit(all, now, limit);
      if (!isFull) throw error;
      done = await this.#found(sent, error, limit);
    }
    return all.map((one): Answer => {
      const its = done[sent.indexOf(one)];
      if (its instanceof CallError) return its;
      return its?.isDone === true && one.changes.map(({ content }) => content && its.revision);
    });
  }

  /** What a server that had no more room has done: the first that does not fit is done, and refused all the same. */
  async #found(
    all: readonly Transaction[],
    error: CallError,
    limit: Limit,
  ): Promise<readonly (Committed | CallError)[]> {
    const looked = all.map(({ changes }) => changes.find(({ content }) => content) ?? (changes[0] as Change));
    const keys = looked.map(({ key }) => key);
    const { cells } = (await this.read(keys, limit)) as { cells: readonly (Cell | undefined)[] };
    return looked.map(({ content }, i) => {
      const cell = cells[i];
      const isThere = cell && content && Buffer.compare(cell.content, content) === 0;
      return isThere ? { isDone: true, revision: String(cell.revision) } : error;
    });
  }

  async #txn({ checks, changes }: Transaction, now: Moment, limit: Limit): Promise<Message> {
    const compare = [...changes, ...checks].map(({ key, revision }) => {
      return { target: revisionIs, key: this.#key(key), revision: revision === undefined ? 0 : numberOf(revision) };
    });
    const success = changes.map(async ({ key: name, content, until, keepsEnd }): Promise<Message> => {
      const key = this.#key(name);
      if (!content) return { delete: { key } };
      if (keepsEnd) return { put: { key, content, keepsLease: 1 } };
      return { put: { key, content, lease: await this.#leases.until(now.mono + until - now.wall, limit) } };
    });
    return { compare, success: await Promise.all(success) };
  }

  /** Operations in one step, on those data alone. */
  async #atomically(success: readonly Message[], limit: Limit, { data, puts }: Kind): Promise<Atomic> {
    const compare = [{ target: contentIs, key: this.#key("!domain"), content: Buffer.from(data.domain) }];
    // A server counts no bytes of transactions within one. For this put, which is hardly ever done, it looks whether it
    // is full.
    const failure = puts ? [{ put: { key: this.#key("!room"), content: Buffer.alloc(0) } }] : [];
    const isRead = success.every((one) => one["range"]);
    const { succeeded, done, header } = await this.#servers.call(txn, { compare, success, failure }, limit, isRead);
    if (succeeded === 1) {
      return {
        done: done as readonly unknown[] as readonly Done[],
        life: data.life,
        ...(header as { revision: number }),
      };
    }
    await this.open(limit);
    throw new StoreError("the server has lost its data", { sent: false });
  }

  #key(key: string): Buffer {
    return Buffer.from(this.#prefix + key);
  }

  #own(key: Buffer): string {
    return key.toString().slice(this.#prefix.length);
  }

  /** All keys that begin so. */
  #range(prefix: string): { readonly key: Buffer; readonly end: Buffer } {
    const key = this.#key(prefix);
    const end = Buffer.from(key);
    end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1); // UTF-8 has no byte 255
    return { key, end };
  }
}

const cellOf = ({ content, revision }: Found, life: number): Cell => ({ content, revision: `${life}.${revision}` });
const lifeOf = (revision: Revision): number => Number(String(revision).split(".")[0]);
const numberOf = (revision: Revision): number => Number(String(revision).split(".")[1]);

/**
 * What the server says that its data are, and how many such there were: a revision is of one of them. They begin with a
 * moment, in ms since 1970, so that fences rise where all is lost that was there, too.
 */
interface Data {
  readonly domain: string;
  readonly life: number;
  readonly since: number;
}

interface Kind {
  readonly data: Data;
  readonly puts: boolean;
}

interface Found {
  readonly key: Buffer;
  readonly content: Buffer;
  readonly revision: number;
}

interface Ranged {
  readonly cells?: readonly Found[];
}

/** What became of an operation. */
interface Done {
  readonly range?: Ranged;
  readonly txn?: { readonly succeeded?: number };
}

/** What became of operations, in which of the lives of the data and at which revision. */
interface Atomic {
  readonly done: readonly Done[];
  readonly life: number;
  readonly revision: number;
}

interface Committed {
  readonly isDone: boolean;
  readonly revision: string;
}
