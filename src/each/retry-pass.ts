import type { Step } from "../state/commit.ts";
import type { Commit } from "./commit.ts";
import type { Item } from "./item.ts";
import { deadKey, deadPrefix, stopKey, stopPrefix, type DeadLetter, type StoppedKey } from "./layout.ts";
import { Pass, type Interest, type PassTerms } from "./pass.ts";
import type { PartitionProgress, Position } from "./progress.ts";
import type { Advance } from "./send.ts";

/**
 * Stopped keys, and dead letters, that one pass is for: they are held in memory. Others are for the next pass of the
 * round.
 */
const mostTargets = 2_000;

/**
 * A round of retries: dead letters again, and after one that had stopped its key the items that waited behind it, up to
 * where the first pass is. Each stopped key's record moves along, so a crash loses nothing and repeats nothing.
 */
export class RetryPass extends Pass {
  from: Position;
  readonly until: number;
  readonly mostItems = 64;
  readonly isLast = false;
  readonly #keys = new Map<string, StoppedKey>();
  /** Dead letters that stopped no key. */
  readonly #ids = new Set<number>();
  readonly #next: number;
  /** Keys that failed again. */
  readonly #again = new Set<string>();
  /** The round needs no other pass. */
  #complete = true;

  private constructor(terms: PassTerms, progress: PartitionProgress) {
    super(terms, progress);
    this.from = progress.next;
    this.#next = progress.next.id;
    this.until = Math.max(this.#next, (progress.above.at(-1) ?? 0) + 1);
  }

  static async start(terms: PassTerms, progress: PartitionProgress): Promise<RetryPass> {
    const pass = new RetryPass(terms, progress);
    const { store, partition, round } = terms;
    for await (const { value } of store.list({ prefix: stopPrefix(partition) })) {
      const stop = value as StoppedKey;
      if (stop.round < round && pass.#wants(stop.from, pass.#keys.size)) pass.#keys.set(stop.key, stop);
    }
    for await (const { value } of store.list({ prefix: deadPrefix(partition) })) {
      const letter = value as DeadLetter;
      if (letter.round < round && !letter.stopped && pass.#wants(letter, pass.#ids.size)) pass.#ids.add(letter.id);
    }
    return pass;
  }

  interest(id: number, key: string | undefined): Interest {
    if (id >= this.#next && !this.reader.has(id)) return "none";
    const stop = this.#stopOf(key);
    return (stop && id >= stop.id) || this.#ids.has(id) ? "take" : "none";
  }

  advance(last: PartitionProgress, commit: Commit): Advance {
    const deaths = new Map(commit.deaths.map((death) => [death.item, death]));
    const steps = new Map<string, Step>();
    const add = (step: Step): void => void steps.set(step.key, step);
    let { done, dead, waiting } = last.counts;
    for (const item of commit.items) {
      if (commit.passed.has(item)) continue; // it waits as before
      const death = deaths.get(item);
      const wasDead = this.#wasDead(item);
      if (wasDead) dead--;
      else waiting--;
      if (death) {
        dead++;
        this.recordsOf(death).forEach(add);
      } else {
        done++;
        if (wasDead) add(this.put(deadKey(this.terms.partition, item.id), undefined));
      }
      if (!death || this.terms.onDead === "continue") this.#moveOn(item, add);
    }
    return { progress: { ...last, counts: { done, dead, waiting } }, steps: [...steps.values()] };
  }

  isThrough(): boolean {
    return true;
  }

  finish(last: PartitionProgress): Advance {
    const through = [...this.#keys.keys()].filter((key) => !this.#again.has(key));
    const steps = through.map((key) => this.put(stopKey(this.terms.partition, key), undefined));
    return { progress: this.#complete ? { ...last, round: this.terms.round } : last, steps };
  }

  /** One that had stopped no key does not do so now: later items of its key may be done, and must not be done again. */
  protected stops({ id }: Item): boolean {
    return this.terms.onDead === "stop-key" && !this.#ids.has(id);
  }

  protected isStopped(key: string): boolean {
    return this.#again.has(key);
  }

  protected stop(key: string): void {
    this.#again.add(key);
  }

  /** Whether there is room for one more target, which is read from there on. */
  #wants({ id, offset }: Position, there: number): boolean {
    if (there === mostTargets) this.#complete = false;
    else if (offset < this.from.offset) this.from = { id, offset };
    return there < mostTargets;
  }

  #stopOf(key: string | undefined): StoppedKey | undefined {
    return key === undefined ? undefined : this.#keys.get(key);
  }

  #wasDead({ id, key }: Item): boolean {
    const stop = this.#stopOf(key);
    return this.#ids.has(id) || (stop?.id === id && stop.dead);
  }

  #moveOn({ id, key, offset }: Item, add: (step: Step) => void): void {
    const stop = this.#stopOf(key);
    // An earlier dead letter, which stopped nothing, does not move it back.
    if (!stop || id < stop.id) return;
    const moved: StoppedKey = { ...stop, id: id + 1, from: { id, offset }, dead: false };
    add(this.put(stopKey(this.terms.partition, stop.key), moved));
  }
}
