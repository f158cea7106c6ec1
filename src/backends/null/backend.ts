import { drawId } from "../../base/ids.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type {
  Backend,
  Capabilities,
  Condition,
  ExecuteCall,
  Group,
  Opened,
  Operation,
  Outcome,
  Page,
  Query,
  Result,
  Session,
  Signals,
} from "../../port/index.ts";
import { closedError, givenUp, notSent } from "../common/failures.ts";
import { checkLimit } from "../common/pages.ts";

/**
 * Null accepts every call, so that nothing that runs on another backend is refused here. Its capabilities say which
 * calls it takes; what they promise of records holds of none, since none is kept. What it lacks is said outright: it
 * excludes nobody (`exclusion: "none"`), and a read sees no write (`reads: "eventual"`).
 */
const capabilities: Capabilities = {
  exclusion: "none",
  fence: "clock",
  guard: "atomic",
  reads: "eventual",
  transact: "full",
  durability: "none",
  clock: "machine",
  ttlGranularity: 1,
  maxValue: 64 * 1024 * 1024,
  push: false,
  watch: "lossy",
  list: true,
  batchRoundTrips: 0,
  shared: "process",
  stamps: "atomic",
  maxGroup: 4_096,
};

const backend = "null";
/** All Null backends see the same: nothing. */
const domain = "null";

/** Above every grant of this process. */
let nextGrant = 0;

/**
 * Keeps nothing and grants every lock: to switch a state store, a cache or a lock off. A write succeeds, a read finds
 * nothing, `{ absent: true }` always holds and `{ id }` never does. Grants rise, so fences do too.
 */
export function nullBackend(options: { readonly time?: Time | undefined } = {}): Backend {
  return new NullBackend(options.time ?? systemTime);
}

class NullBackend implements Backend {
  readonly name = backend;
  readonly time: Time;
  readonly #sessions = new Set<NullSession>();
  #closed = false;

  constructor(time: Time) {
    this.time = time;
  }

  async open(): Promise<Opened> {
    if (this.#closed) throw closedError(backend);
    return { domain, capabilities };
  }

  session(): Session {
    const session = new NullSession(this.time, () => this.#sessions.delete(session));
    if (this.#closed) session.end();
    else this.#sessions.add(session);
    return session;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of [...this.#sessions]) session.end();
  }
}

class NullSession implements Session {
  readonly id: string = drawId();
  /** Nothing changes, nobody waits, and messages go where everything goes. */
  readonly signals: Signals = {
    subscribe: async () => {
      this.#assertOpen();
      return () => undefined;
    },
    publish: async () => this.#assertOpen(),
  };
  readonly #time: Time;
  readonly #onEnd: () => void;
  #ended = false;

  constructor(time: Time, onEnd: () => void) {
    this.#time = time;
    this.#onEnd = onEnd;
  }

  executeNow(group: Group): Outcome {
    if (this.#ended) return notSent(closedError(backend));
    const results: Result[] = [];
    for (let at = 0; at < group.ops.length; at++) {
      const op = group.ops[at] as Operation;
      if ("if" in op && !holdsOfNothing(op.if)) return { ok: false, why: "conflict", at, current: undefined };
      results.push(this.#result(op));
    }
    return { ok: true, results };
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    return groups.map((group, i) => (call.claim(i) ? this.executeNow(group) : givenUp(backend)));
  }

  async page(query: Query): Promise<Page> {
    this.#assertOpen();
    checkLimit(query, backend);
    return { records: [] };
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    this.#ended = true;
    this.#onEnd();
  }

  #result(op: Operation): Result {
    switch (op.op) {
      case "acquire":
        return { grant: this.#grant() };
      case "extend":
        return { grant: Math.max(op.grant, op.raise ?? 0) };
      case "release":
        return true;
      case "touch":
      case "delete":
        return false;
      case "steal":
      case "inspect":
        return { holders: [], waiting: 0 };
      default:
        return undefined;
    }
  }

  #grant(): number {
    nextGrant = Math.max(nextGrant + 1, Math.floor(this.#time.wall() * 1_000));
    return nextGrant;
  }

  #assertOpen(): void {
    if (this.#ended) throw closedError(backend);
  }
}

function holdsOfNothing(condition: Condition | undefined): boolean {
  return condition === undefined || "absent" in condition;
}
