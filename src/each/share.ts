import { KEEP, type Holdfast, type Lock, type StateStore } from "../entries/index.ts";
import { isGone } from "./identity.ts";
import { jobStoreName, memberKey, membersKey, partitionKey } from "./layout.ts";
import type { Partitions } from "./partitions.ts";
import type { WorkerTerms } from "./terms.ts";

/** How often the others are looked for, in ms; and how often where there is something to take. */
const calm = 500;
const eager = 100;

/** Who says that a worker is there. */
type Member = Pick<WorkerTerms, "id" | "who">;

/**
 * A worker's share of the partitions. Every worker says that it is there, in a record that expires; each takes as many
 * unfinished partitions as are its share, and gives up what it has more. Who holds which is decided by their locks
 * alone.
 */
export class Share {
  readonly #store: StateStore<unknown>;
  readonly #lock: Lock;
  readonly #partitions: Partitions;
  readonly #terms: WorkerTerms;
  #said = -Infinity;
  #from = 0;

  constructor(hf: Holdfast, terms: WorkerTerms, partitions: Partitions) {
    this.#store = hf.state(jobStoreName(terms.name));
    this.#lock = hf.lock(jobStoreName(terms.name));
    this.#partitions = partitions;
    this.#terms = terms;
  }

  /** Looks who is there, takes and gives up. Resolves with when to do it again, in ms. */
  async balance(): Promise<number> {
    if (performance.now() - this.#said > this.#terms.leaseMs / 4) await this.sayHere();
    const members = await this.#members();
    const { count: all, finished } = this.#partitions;
    const left = all - finished.size;
    const rank = Math.max(members.indexOf(this.#terms.id), 0);
    const count = Math.max(members.length, 1);
    const quota = Math.floor(left / count) + (rank < left % count ? 1 : 0);
    const held = this.#partitions.held();
    if (held.length > quota) {
      for (const partition of this.#partitions.spare().slice(0, held.length - quota))
        this.#partitions.giveUp(partition);
      return calm;
    }
    // One that holds nothing waits for the end, which the others bring about.
    if (held.length === quota) return quota === 0 ? this.#lookForEnd() : calm;
    this.#from ||= Math.floor((rank * all) / count);
    const taken = await this.#take(quota - held.length, new Set(held));
    return taken < quota - held.length ? eager : calm;
  }

  async #lookForEnd(): Promise<number> {
    const { count, finished } = this.#partitions;
    await this.#partitions.look(Array.from({ length: count }, (_, i) => i).filter((i) => !finished.has(i)));
    return eager;
  }

  /** Says that workers are about to come, so that the first one does not take everything. */
  static async announce(hf: Holdfast, job: string, members: readonly Member[], ttlMs: number): Promise<void> {
    const entries = members.map((member) => ({ key: memberKey(member.id), value: member }));
    const store = hf.state(jobStoreName(job));
    await store.saveMany(entries, { ttl: ttlMs });
    await enroll(
      store,
      members.map(({ id }) => id),
      [],
    );
  }

  /** Says that this worker is no more there. */
  async leave(): Promise<void> {
    await this.#store.delete(memberKey(this.#terms.id));
    await enroll(this.#store, [], [this.#terms.id]);
  }

  /** Says that this worker is there. */
  async sayHere(): Promise<void> {
    const now = performance.now();
    const { id, who, leaseMs: ttl } = this.#terms;
    await this.#store.save(memberKey(id), { id, who } satisfies Member, { ttl });
    this.#said = now;
  }

  async #members(): Promise<string[]> {
    const own = this.#terms.id;
    const named = ((await this.#store.load(membersKey)) ?? []) as readonly string[];
    const found = await this.#store.loadMany(named.map(memberKey));
    const ids = new Set([own]);
    const gone: string[] = [];
    for (const id of named) {
      const member = found.get(memberKey(id)) as Member | undefined;
      if (id === own) continue;
      if (member && !isGone(member.who)) ids.add(id);
      else gone.push(id);
    }
    // One that was only slow names itself again when it looks next.
    if (gone.length > 0 || !named.includes(own)) await enroll(this.#store, [own], gone);
    for (const id of gone) if (found.has(memberKey(id))) await this.#store.delete(memberKey(id));
    return [...ids].sort();
  }

  /** Tries to take so many; how many it got. */
  async #take(want: number, held: ReadonlySet<number>): Promise<number> {
    const { count, finished } = this.#partitions;
    const others: number[] = [];
    for (let i = 0; i < count; i++) {
      const partition = (this.#from + i) % count;
      if (!held.has(partition) && !finished.has(partition)) others.push(partition);
    }
    await this.#partitions.look(others);
    const candidates = others.filter((partition) => !finished.has(partition));
    const first = await this.#takeOf(candidates, want);
    if (first.taken === want || !(await this.#evict(first.refused))) return first.taken;
    return first.taken + (await this.#takeOf(first.refused, want - first.taken)).taken;
  }

  async #takeOf(candidates: readonly number[], want: number): Promise<{ taken: number; refused: number[] }> {
    let taken = 0;
    const refused: number[] = [];
    for (let i = 0; i < candidates.length && taken < want;) {
      const tried = candidates.slice(i, i + want - taken);
      i += tried.length;
      const got = await Promise.all(tried.map((partition) => this.#tryTake(partition)));
      for (const [n, partition] of tried.entries()) if (!got[n]) refused.push(partition);
      taken += got.filter(Boolean).length;
    }
    return { taken, refused };
  }

  async #tryTake(partition: number): Promise<boolean> {
    const { leaseMs: ttl, who } = this.#terms;
    const lease = await this.#lock.tryAcquire(partitionKey(partition), { ttl, maxHold: "never", label: who });
    if (!lease) return false;
    await this.#partitions.take(partition, lease);
    return true;
  }

  /** Takes locks from holders that have certainly ended, so that a crash costs no waiting; whether there were any. */
  async #evict(partitions: readonly number[]): Promise<boolean> {
    const evict = async (key: string): Promise<boolean> => {
      const holder = await this.#lock.inspect(key);
      if (holder?.label === undefined || !isGone(holder.label)) return false;
      // From that owner alone: another worker may have been faster.
      await this.#lock.forceRelease(key, "the process that held it has ended", { owner: holder.owner });
      return true;
    };
    return (await Promise.all(partitions.map((partition) => evict(partitionKey(partition))))).includes(true);
  }
}

/** Names workers, and others no more. */
async function enroll(store: StateStore<unknown>, come: readonly string[], gone: readonly string[]): Promise<void> {
  await store.upsert(membersKey, (current) => {
    const before = (current ?? []) as readonly string[];
    const left = before.filter((id) => !gone.includes(id));
    const now = [...new Set([...left, ...come])];
    return now.length === before.length && left.length === before.length ? KEEP : now;
  });
}
