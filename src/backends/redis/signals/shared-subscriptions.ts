/** How a name is subscribed to: the two halves of the router's subscriber for channels, or for patterns. */
export interface Wire {
  subscribe(name: string, deadline: number): Promise<void>;
  unsubscribe(name: string): void;
}

interface Line<Member> {
  readonly members: Set<Member>;
  ready: Promise<void>;
  /** The server has confirmed. */
  settled: boolean;
}

/**
 * Names that several listen to, each subscribed to once: from the first who joins until the last has left. While the server
 * has not confirmed, nothing is taken back, so that what it is asked for one name never overlaps.
 */
export class SharedSubscriptions<Member> {
  readonly #wire: Wire;
  readonly #lines = new Map<string, Line<Member>>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Names that are subscribed to, or about to be. */
  get size(): number {
    return this.#lines.size;
  }

  /** Who listens to the name. */
  membersOf(name: string): Iterable<Member> {
    return this.#lines.get(name)?.members ?? [];
  }

  /** Everybody. */
  everybody(): readonly Member[] {
    return [...this.#lines.values()].flatMap(({ members }) => [...members]);
  }

  /** Adds a member; it is told from when this resolves, or earlier. One that could not join is no member. */
  async join(name: string, member: Member, deadline: number): Promise<void> {
    let line = this.#lines.get(name);
    if (!line) {
      line = { members: new Set(), settled: false, ready: Promise.resolve() };
      this.#lines.set(name, line);
      line.ready = this.#open(name, line, deadline);
    }
    // Before the server confirms: what it tells then may come together with the confirmation.
    line.members.add(member);
    await line.ready;
  }

  /** Takes a member out. Harmless for one that is none. */
  leave(name: string, member: Member): void {
    const line = this.#lines.get(name);
    if (line?.members.delete(member) && line.settled) this.#endIfEmpty(name, line);
  }

  async #open(name: string, line: Line<Member>, deadline: number): Promise<void> {
    try {
      await this.#wire.subscribe(name, deadline);
    } catch (error) {
      this.#lines.delete(name);
      // It may yet be confirmed.
      this.#wire.unsubscribe(name);
      throw error;
    }
    line.settled = true;
    this.#endIfEmpty(name, line);
  }

  #endIfEmpty(name: string, line: Line<Member>): void {
    if (line.members.size > 0) return;
    this.#lines.delete(name);
    this.#wire.unsubscribe(name);
  }
}
