/** How a name is subscribed to at the server. */
export interface Subscribing {
  subscribe(name: string, deadline: number): Promise<void>;
  unsubscribe(name: string): void;
}

interface Subscribed<Member> {
  readonly members: Set<Member>;
  ready: Promise<void>;
  /** The server has confirmed. */
  settled: boolean;
}

/**
 * Names that several listen to, each subscribed to once: from the first who joins until the last has left. While the
 * server has not confirmed, nothing is taken back, so that what it is asked for one name never overlaps.
 */
export class SharedSubscriptions<Member> {
  readonly #server: Subscribing;
  readonly #names = new Map<string, Subscribed<Member>>();

  constructor(server: Subscribing) {
    this.#server = server;
  }

  /** Names that are subscribed to, or about to be. */
  get size(): number {
    return this.#names.size;
  }

  /** Who listens to the name. */
  membersOf(name: string): Iterable<Member> {
    return this.#names.get(name)?.members ?? [];
  }

  /** Everybody. */
  everybody(): readonly Member[] {
    return [...this.#names.values()].flatMap(({ members }) => [...members]);
  }

  /** Adds a member; it is told from when this resolves, or earlier. One that could not join is no member. */
  async join(name: string, member: Member, deadline: number): Promise<void> {
    let entry = this.#names.get(name);
    if (!entry) {
      entry = { members: new Set(), settled: false, ready: Promise.resolve() };
      this.#names.set(name, entry);
      entry.ready = this.#open(name, entry, deadline);
    }
    // Before the server confirms: what it tells then may come together with the confirmation.
    entry.members.add(member);
    await entry.ready;
  }

  /** Takes a member out. Harmless for one that is none. */
  leave(name: string, member: Member): void {
    const entry = this.#names.get(name);
    if (entry?.members.delete(member) && entry.settled) this.#endIfEmpty(name, entry);
  }

  async #open(name: string, entry: Subscribed<Member>, deadline: number): Promise<void> {
    try {
      await this.#server.subscribe(name, deadline);
    } catch (error) {
      this.#names.delete(name);
      // It may yet be confirmed.
      this.#server.unsubscribe(name);
      throw error;
    }
    entry.settled = true;
    this.#endIfEmpty(name, entry);
  }

  #endIfEmpty(name: string, entry: Subscribed<Member>): void {
    if (entry.members.size > 0) return;
    this.#names.delete(name);
    this.#server.unsubscribe(name);
  }
}
