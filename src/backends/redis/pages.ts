import type { Key } from "../../base/keys.ts";
import type { Time } from "../../base/time.ts";
import type {
  Group,
  ListedRecord,
  LockState,
  Operation,
  Outcome,
  Page,
  Query,
  Result,
  StoredRecord,
} from "../../port/index.ts";
import { checkLimit, listsLocks } from "../common/pages.ts";
import type { BatchContext } from "./batch.ts";
import type { ListedGet } from "./decode.ts";
import { inOrder, readDistribution, type Distribution } from "./distribution.ts";
import { failedBy, foreign } from "./outcomes.ts";
import { decodeRecord, withStamps } from "./record.ts";
import { persist } from "./persist.ts";
import { begin, cursorOf, parse, type Position } from "./position.ts";
import type { Node, Reply } from "./router.ts";
import { before } from "./signals/before.ts";

/** Steps of a scan for one page, so that a rare prefix holds nobody up. */
const mostSteps = 64;
/** Keys that a step looks at, least and most. */
const smallStep = 16;
const largeStep = 1_000;
/** Records that are read at once, and bytes of them after which a page is full. */
const chunk = 128;
const keysChunk = 1_024;
const mostBytes = 8 * 1024 * 1024;

/** What a page is read with. */
export interface PageContext extends BatchContext {
  readonly time: Time;
  /** Runs groups by the page's deadline. */
  run(groups: readonly Group[]): Promise<readonly Outcome[]>;
}

/**
 * One page of a space; see the port. Reading changes nothing, so a page whose connection was lost, or has not come back
 * yet, is read again until the deadline. Rejects with a HoldfastError.
 */
export async function readPage(context: PageContext, query: Query, deadline: number): Promise<Page> {
  checkLimit(query, "redis");
  const from = query.cursor === undefined ? undefined : parse(query.cursor, query);
  try {
    const listing = new Listing(context, query, deadline);
    const { time } = context;
    return await before(
      persist(async () => listing.page(from), deadline, time),
      deadline,
      time,
    );
  } catch (error) {
    throw failedBy(error).error;
  }
}

class Listing {
  readonly #context: PageContext;
  readonly #query: Query;
  readonly #deadline: number;

  constructor(context: PageContext, query: Query, deadline: number) {
    this.#context = context;
    this.#query = query;
    this.#deadline = deadline;
  }

  async page(from: Position | undefined): Promise<Page> {
    const { router } = this.#context;
    let at = from;
    let nodes: readonly Node[] = [];
    if (at) nodes = inOrder((await router.primaries(this.#deadline)).nodes);
    if (!at || (at.node !== "" && !nodes.some(({ id }) => id === at?.node))) {
      const distribution = await this.#distribution();
      ({ nodes } = distribution);
      at = begin(distribution, 0);
    }
    const scanned = await this.#scan(nodes, at);
    const { records, left } = await this.#show(scanned.found);
    const next = { ...scanned, found: left };
    if (next.node !== "" || left.length > 0) return { records, cursor: cursorOf(this.#query, next) };
    const again = await this.#nextPass(next);
    return again ? { records, cursor: cursorOf(this.#query, again) } : { records };
  }

  /**
   * The start of one more pass, if a key that is there throughout may have been missed: it moves with its slot, also to
   * where the scan has been. While slots are on their way two passes under one distribution see it, before its move or
   * after.
   */
  async #nextPass({ print, passes }: Position): Promise<Position | undefined> {
    const now = await this.#distribution();
    if (now.print !== print) return begin(now, 0);
    return now.moving && passes === 0 ? begin(now, 1) : undefined;
  }

  async #distribution(): Promise<Distribution> {
    const { router, places, time } = this.#context;
    return readDistribution(router, places, time, this.#deadline);
  }

  /** Goes on until there are enough keys, or for so many steps. */
  async #scan(nodes: readonly Node[], from: Position): Promise<Position> {
    const { limit, space } = this.#query;
    const pattern = `${this.#context.encoding.layout.head(space).replaceAll(/[\\*?[\]^-]/gu, String.raw`\$&`)}*`;
    const found = new Set(from.found);
    let at = nodes.findIndex(({ id }) => id === from.node);
    let { scan } = from;
    let step = 0;
    for (let i = 0; i < mostSteps && found.size < limit && at >= 0; i++) {
      const missing = limit - found.size;
      step = Math.min(Math.max(missing, smallStep, step), largeStep);
      const reply = await (nodes[at] as Node).send(["SCAN", scan, "MATCH", pattern, "COUNT", String(step)]);
      const [next, names] = reply as readonly [Reply, readonly Reply[]];
      const size = found.size;
      for (const name of names) if (this.#keyOf(String(name))) found.add(String(name));
      // Where most keys are of others, larger steps; where they are ours, a page is not to be overshot.
      step = found.size - size < step / 4 ? step * 4 : 0;
      scan = String(next);
      if (scan === "0") at = at + 1 < nodes.length ? at + 1 : -1;
    }
    return { ...from, node: nodes[at]?.id ?? "", scan, found: [...found] };
  }

  #keyOf(name: string): Key | undefined {
    const { space, prefix } = this.#query;
    const key = this.#context.encoding.layout.parse(name);
    return key?.space.id === space.id && key.key.startsWith(prefix) ? key : undefined;
  }

  async #show(
    names: readonly string[],
  ): Promise<{ readonly records: ListedRecord[]; readonly left: readonly string[] }> {
    const { limit, space, keysOnly } = this.#query;
    const records: ListedRecord[] = [];
    let bytes = 0;
    let at = 0;
    while (at < names.length && at < limit && bytes < mostBytes) {
      const some = names.slice(at, Math.min(at + (keysOnly ? keysChunk : chunk), limit));
      at += some.length;
      if (listsLocks(space)) records.push(...(await this.#inUse(some)));
      else if (keysOnly) records.push(...(await this.#heads(some)));
      else bytes += await this.#read(some, records);
    }
    return { records, left: names.slice(at) };
  }

  /** The locks that are held or waited for. */
  async #inUse(names: readonly string[]): Promise<readonly StoredRecord[]> {
    const locks = this.#keysOf(names);
    const states = await this.#ask(locks.map((lock) => ({ op: "inspect", lock })));
    return locks.flatMap(({ key }, i) => {
      const { holders, waiting } = states[i] as LockState;
      return holders.length + waiting > 0 ? [{ key, id: "", value: "" }] : [];
    });
  }

  /** The records that are there, without their values. */
  async #heads(names: readonly string[]): Promise<readonly ListedRecord[]> {
    const reads = this.#keysOf(names).map((key): ListedGet => ({ op: "get", key, keyOnly: true, listed: true }));
    const heads = await this.#ask(reads);
    return (heads as (ListedRecord | undefined)[]).filter((head) => head !== undefined);
  }

  /** The results of operations, each by itself. */
  async #ask(ops: readonly Operation[]): Promise<readonly Result[]> {
    const outcomes = await this.#context.run(ops.map((op) => ({ ops: [op] })));
    return outcomes.map((outcome) => {
      if (!outcome.ok) throw outcome.why === "failed" ? outcome.error : foreign(undefined);
      return outcome.results[0];
    });
  }

  #keysOf(names: readonly string[]): readonly Key[] {
    return names.map((name) => this.#keyOf(name)).filter((key) => key !== undefined);
  }

  /** Adds the records that are there; their bytes. */
  async #read(names: readonly string[], records: ListedRecord[]): Promise<number> {
    const { router, places } = this.#context;
    const bySlot = new Map<number, string[]>();
    for (const name of names) {
      const slot = places.slotOf(name);
      const same = bySlot.get(slot);
      if (same) same.push(name);
      else bySlot.set(slot, [name]);
    }
    let size = 0;
    await Promise.all(
      [...bySlot.values()].map(async (same) => {
        const found = (await router.send("commands", same[0], ["MGET", ...same])) as readonly (Buffer | null)[];
        for (const [i, bytes] of found.entries()) {
          const key = this.#keyOf(same[i] as string);
          if (bytes === null || key === undefined) continue;
          const record = decodeRecord(key.key, bytes);
          if (record === undefined) throw foreign({ op: "get", key });
          records.push(withStamps(record, bytes, this.#context.encoding.layout));
          size += bytes.length;
        }
      }),
    );
    return size;
  }
}
