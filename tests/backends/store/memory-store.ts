import { drawId } from "../../../src/base/ids.ts";
import { systemTime, type Time } from "../../../src/base/time.ts";
import { StoreError } from "../../../src/backends/store/store-error.ts";
import type {
  Answer,
  Cell,
  Declares,
  Message,
  Messages,
  Range,
  Read,
  Store,
  Transaction,
} from "../../../src/backends/store/store.ts";

/** What the server is, and what it does wrong. */
export interface MemoryStoreOptions {
  readonly atomic: "one" | "any";
  readonly clock?: "server" | "client" | "none";
  readonly guard?: "none";
  /** Whether a commit is compared with the server's clock. */
  readonly timed?: boolean;
  /** How much later than it may it forgets a cell, in ms. */
  readonly lag?: number;
  readonly scan?: boolean;
  readonly watch?: boolean;
  readonly messages?: boolean;
  /** Over how many servers it says that its cells are spread, by their length. */
  readonly servers?: number;
  /** Whether a commit tells the revisions that it made. */
  readonly revisions?: boolean;
  readonly time?: Time;
  /** Called before each request, and before its reply: to wait, or to throw. */
  readonly meddle?: (what: "read" | "commit", when: "request" | "reply") => Promise<void> | undefined;
}

interface Kept extends Cell {
  readonly until: number;
}

/** A server in this process that knows cells and nothing else. Each `store()` is a client of it, some turns of the loop away. */
export class CellServer {
  readonly domain = drawId();
  readonly counts = { reads: 0, commits: 0, transactions: 0, refused: 0 };
  readonly #options: MemoryStoreOptions;
  readonly #time: Time;
  readonly #cells = new Map<string, Kept>();
  readonly #watchers = new Set<{ readonly prefix: string; readonly listener: (key: string | undefined) => void }>();
  readonly #hearers = new Map<string, Set<(body: string | undefined) => void>>();
  /** The version in each record that was committed. */
  readonly #ids: string[] = [];
  #revision = 1;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  /** A client of it, whose clocks are `time`. */
  store(time = this.#time): Store {
    const { atomic, clock = "server", guard, scan = true, watch, messages, servers } = this.#options;
    const declares: Declares = {
      exclusion: "exact",
      fence: "clock",
      reads: "linearizable",
      durability: "none",
      ttlGranularity: 1,
      shared: "network",
      clock,
      timed: this.#options.timed ?? clock === "server",
      watch: "lossy",
      ...(guard && { guard }),
      maxContent: 4 * 1024 * 1024,
    };
    return {
      atomic,
      declares,
      ...(servers && { servers: { count: servers, of: (cell: string) => cell.length % servers } }),
      open: async () => ({ domain: this.domain }),
      read: async (keys) => this.#asked("read", () => this.#read(keys)),
      commit: async (transactions) => {
        const ahead = clock === "none" ? time.wall() - this.#time.wall() : 0;
        return this.#asked("commit", () => this.#commit(transactions, ahead));
      },
      ...(scan ? { scan: async (range: Range) => this.#asked("read", () => this.#scan(range)) } : {}),
      ...(watch ? { watch: async (prefix, listener) => this.#watch(prefix, listener) } : {}),
      ...(messages ? { messages: this.#messages() } : {}),
      close: async () => undefined,
    };
  }

  /** Which of these ids were in a content that was ever committed. */
  written(ids: ReadonlySet<string>): readonly string[] {
    return this.#ids.filter((id) => ids.has(id));
  }

  /** Every cell gets another revision, as if somebody else had written it again as it was. */
  disturb(): void {
    for (const [key, cell] of this.#cells) this.#cells.set(key, { ...cell, revision: ++this.#revision });
  }

  async #asked<T>(what: "read" | "commit", answer: () => T): Promise<T> {
    const { meddle } = this.#options;
    await meddle?.(what, "request");
    await new Promise((resolve) => setImmediate(resolve));
    const reply = answer();
    await new Promise((resolve) => setImmediate(resolve));
    await meddle?.(what, "reply");
    return reply;
  }

  #read(keys: readonly string[]): Read {
    this.counts.reads++;
    const cells = keys.map((key) => this.#live(key));
    if (this.#options.clock === "none") return { cells, order: this.#revision };
    return this.#options.clock === "client" ? { cells } : { cells, now: this.#time.wall() };
  }

  #commit(transactions: readonly Transaction[], ahead: number): readonly Answer[] {
    this.counts.commits++;
    const changed = new Set<string>();
    for (const { changes } of transactions) {
      for (const { key } of changes) {
        if (changed.has(key)) throw new Error(`two transactions of one call change ${key}`);
        changed.add(key);
      }
    }
    return transactions.map((transaction) => this.#run(transaction, ahead));
  }

  #run({ checks, changes, notBefore, notAfter }: Transaction, ahead: number): Answer {
    this.counts.transactions++;
    if (this.#options.atomic === "one" && (changes.length !== 1 || checks.length > 0)) {
      throw new StoreError("one cell at a time", { sent: false });
    }
    const now = this.#time.wall();
    const late = (notBefore !== undefined && now < notBefore) || (notAfter !== undefined && now >= notAfter);
    const timed = this.#options.timed ?? (this.#options.clock ?? "server") === "server";
    const expected = [...checks, ...changes.filter(({ blind }) => !blind)];
    const changed = expected.some(({ key, revision }) => this.#live(key)?.revision !== revision);
    if (changed || (timed && late)) {
      this.counts.refused++;
      return false;
    }
    const revisions = changes.map(({ key, content, until, keepsEnd }) => {
      const end = (keepsEnd && this.#cells.get(key)?.until) ?? until - ahead;
      const revision = ++this.#revision;
      const [, id] = /^.{17}\["([^"]+)"/.exec(Buffer.from(content ?? "").toString("latin1")) ?? [];
      if (id !== undefined) this.#ids.push(id);
      if (content) this.#cells.set(key, { content, until: end, revision });
      else this.#cells.delete(key);
      return revision;
    });
    for (const { key } of changes) this.#tell(key);
    return this.#options.revisions === false ? true : revisions;
  }

  #scan({ prefix, after, most }: Range): readonly string[] {
    const found = [...this.#cells.keys()].filter(
      (key) => key.startsWith(prefix) && (after === undefined || key > after) && this.#live(key),
    );
    return found.toSorted((a, b) => (a < b ? -1 : 1)).slice(0, most);
  }

  #watch(prefix: string, listener: (key: string | undefined) => void): () => void {
    const watcher = { prefix, listener };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #messages(): Messages {
    return {
      tell: async (all: readonly Message[]) => {
        for (const { topic, body } of all) {
          for (const listener of this.#hearers.get(topic) ?? []) setImmediate(() => listener(body));
        }
      },
      hear: async (topic, listener) => {
        const hearers = this.#hearers.get(topic) ?? new Set();
        this.#hearers.set(topic, hearers.add(listener));
        return () => hearers.delete(listener);
      },
    };
  }

  #live(key: string): Kept | undefined {
    const cell = this.#cells.get(key);
    if (!cell || cell.until + (this.#options.lag ?? 0) > this.#time.wall()) return cell;
    this.#cells.delete(key);
    this.#tell(key);
    return undefined;
  }

  #tell(key: string): void {
    for (const { prefix, listener } of this.#watchers) if (key.startsWith(prefix)) setImmediate(() => listener(key));
  }
}
