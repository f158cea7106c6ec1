import { InvalidArgumentError, UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import type { Timer } from "../../../base/time.ts";
import type { Reply } from "../router.ts";
import { askOnce, within } from "./ask-once.ts";
import { ClusterNode } from "./cluster-node.ts";
import type { Common } from "./connection-options.ts";
import { attemptFailure, BACKEND, unanswered } from "./failures.ts";
import { parseSlots, SLOTS, type SlotRange } from "./slots.ts";
import { showEndpoint, type Endpoint } from "./wire.ts";

/** Between two looks at the distribution of the slots: at least, and at most while something is amiss. */
const SOONEST_MS = 100;
const LATEST_MS = 500;

const QUESTION = ["CLUSTER", "SLOTS"];

export interface ClusterMapOptions extends Common {
  /** Where to ask first. */
  seeds(): readonly Endpoint[];
  /** Called after each change of the map or of a connection. */
  changed(): void;
  /** Called when other nodes than before are the primaries. */
  moved(): void;
}

/**
 * Which primary serves which slot. Looks anew when told to, and again and again while not every primary is connected.
 */
export class ClusterMap {
  readonly #options: ClusterMapOptions;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #slots: (ClusterNode | undefined)[] = Array.from({ length: SLOTS });
  #epoch = "";
  /** The primaries of the last look: `#nodes` also has those that a redirection has named since. */
  #adopted = "";
  #looking = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #pause = SOONEST_MS;
  #problem: HoldfastError | undefined;
  /** Who is being asked. */
  #asked: string | undefined;
  #hopeless = false;
  #failures = 0;
  #closed = false;

  constructor(options: ClusterMapOptions) {
    this.#options = options;
  }

  /** Whether the distribution was learned. */
  get known(): boolean {
    return this.#epoch !== "";
  }

  /** Identifies the distribution. */
  get epoch(): string {
    return this.#epoch;
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  at(slot: number): ClusterNode | undefined {
    return this.#slots[slot];
  }

  /** Any primary that is connected. */
  any(): ClusterNode | undefined {
    for (const node of this.#nodes.values()) if (node.commands.ready) return node;
    return undefined;
  }

  /** Why there is no way to the cluster. */
  get problem(): HoldfastError | undefined {
    const of = this.#problem ?? this.nodes.find(({ commands }) => commands.problem)?.commands.problem;
    return of ?? (this.#asked === undefined ? undefined : unanswered(this.#asked));
  }

  /** How many looks have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether waiting is of no use. */
  get hopeless(): boolean {
    if (!this.known) return this.#hopeless && !this.#looking;
    return this.#nodes.size > 0 && this.nodes.every(({ commands }) => commands.hopeless);
  }

  /** Learns the distribution if it is not known, and lets nodes try again that had given up. */
  start(): void {
    for (const { commands } of this.#nodes.values()) commands.start();
    if (!this.known) this.lookSoon();
  }

  /** The distribution may have changed. */
  lookSoon(): void {
    if (this.#closed || this.#looking || this.#timer) return;
    this.#schedule(SOONEST_MS);
  }

  /** A server said that the slot is served there now. */
  move(slot: number, to: Endpoint): ClusterNode {
    const node = this.node(to);
    this.#slots[slot] = node;
    this.lookSoon();
    return node;
  }

  /** The node at an address, which is connected to if it is new. The next look forgets it if it is no primary. */
  node(endpoint: Endpoint): ClusterNode {
    const id = showEndpoint(endpoint);
    const known = this.#nodes.get(id);
    if (known) return known;
    const node = new ClusterNode(endpoint, this.#options, () => this.#connectionChanged());
    this.#nodes.set(id, node);
    return node;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    for (const node of this.#nodes.values()) node.close();
  }

  #connectionChanged(): void {
    if (!this.#isWhole()) this.lookSoon();
    this.#options.changed();
  }

  #schedule(ms: number): void {
    const { time } = this.#options;
    this.#timer = time.after(this.#lookedAt + ms - time.monotonic(), () => {
      this.#timer = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      this.#adopt(await this.#ask());
      this.#problem = undefined;
      this.#hopeless = false;
    } catch (error) {
      const failure = attemptFailure(error, "the cluster", this.#options.hide);
      this.#problem = failure.error;
      this.#hopeless = failure.final;
      this.#failures++;
    }
    this.#looking = false;
    this.#asked = undefined;
    this.#lookedAt = this.#options.time.monotonic();
    if (this.#closed) return;
    this.#options.changed();
    this.#pause = this.#isWhole() ? SOONEST_MS : Math.min(2 * this.#pause, LATEST_MS);
    if (!this.#isWhole() && !(this.#hopeless && !this.known)) {
      this.#timer?.clear();
      this.#schedule(this.#pause);
    }
  }

  /** The distribution as a node sees it: one that is connected, or else one of all that were ever named. */
  async #ask(): Promise<readonly SlotRange[]> {
    const problems: HoldfastError[] = [];
    const endpoints = [...shuffled(this.nodes).map(({ endpoint }) => endpoint), ...this.#options.seeds()];
    for (const endpoint of new Map(endpoints.map((one) => [showEndpoint(one), one])).values()) {
      if (this.#closed) break;
      this.#asked = showEndpoint(endpoint);
      try {
        return checked(parseSlots(await this.#askOne(endpoint), endpoint));
      } catch (error) {
        const failure = attemptFailure(error, showEndpoint(endpoint), this.#options.hide);
        if (failure.final) throw /cluster support disabled/i.test(failure.error.message) ? noCluster() : failure.error;
        problems.push(failure.error);
      }
    }
    const said = problems.map(({ message }) => message).join("; ");
    throw new UnavailableError(`no node tells how the slots are distributed: ${said}`, { backend: BACKEND });
  }

  async #askOne(endpoint: Endpoint): Promise<Reply> {
    const { time, connectTimeout } = this.#options;
    const node = this.#nodes.get(showEndpoint(endpoint));
    if (!node?.commands.ready) return askOnce(this.#options, endpoint, "commands", QUESTION, !this.known);
    return within(time, connectTimeout / 2, node.send(QUESTION));
  }

  #adopt(ranges: readonly SlotRange[]): void {
    if (this.#closed) return;
    const wanted = new Set<ClusterNode>();
    this.#slots.fill(undefined);
    for (const { from, to, primary } of ranges) {
      const node = this.node(primary);
      wanted.add(node);
      this.#slots.fill(node, from, to + 1);
    }
    for (const node of this.#nodes.values()) {
      if (wanted.has(node)) continue;
      this.#nodes.delete(node.id);
      node.retire();
    }
    const first = !this.known;
    this.#epoch = ranges
      .map(({ from, to, primary }) => `${from}-${to}@${showEndpoint(primary)}`)
      .toSorted()
      .join();
    const before = this.#adopted;
    this.#adopted = [...this.#nodes.keys()].toSorted().join();
    if (!first && before !== this.#adopted) this.#options.moved();
  }

  #isWhole(): boolean {
    return this.known && !this.#slots.includes(undefined) && this.nodes.every(({ commands }) => commands.ready);
  }
}

/** A node that was never told of a cluster, or has lost it, knows no slots. */
function checked(ranges: readonly SlotRange[]): readonly SlotRange[] {
  if (ranges.length === 0) throw new Error("it knows of no slots");
  return ranges;
}

function noCluster(): InvalidArgumentError {
  return new InvalidArgumentError("the server is not a cluster: its URL begins with redis:// or rediss://", {
    backend: BACKEND,
  });
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
