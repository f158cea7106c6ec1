import { isHoldfastError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Call, Reply } from "../client/index.ts";
import type { Group } from "../port/index.ts";
import type { Granting } from "./granting.ts";
import type { Life } from "./life.ts";

/** The extensions of one grant: sends them, and knows those whose effect is still open. */
export class Extensions {
  readonly #granting: Granting;
  readonly #life: Life;
  /** The info about the holder that the store has. */
  #info: string;
  /** Extensions under way, or without a reply: the store may hold the lock for longer than known here. */
  #open = 0;
  #underWay = 0;
  #longestMs = 0;

  constructor(granting: Granting, life: Life) {
    this.#granting = granting;
    this.#life = life;
    this.#info = granting.info;
  }

  /** Whether the store may hold the lock for longer than known here. */
  get isOpen(): boolean {
    return this.#open > 0;
  }

  /** The longest ttl that an extension under way arms, in ms; 0 if there is none. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Arms the ttl at the store. Whether the store still held every lock; rejects as any call does. */
  async send(ttlMs: number, info: string | undefined, call: Call): Promise<boolean> {
    const { host, locks } = this.#granting;
    const next = info ?? this.#info;
    const ask = async (lock: Key): Promise<Reply> => host.instance.execute(this.#group(lock, ttlMs, next), call);
    this.#open++;
    this.#underWay++;
    this.#longestMs = Math.max(this.#longestMs, ttlMs);
    let replies: readonly Reply[];
    try {
      replies = await Promise.all(locks.map(ask));
    } catch (error) {
      if (locks.length === 1 && !isHoldfastError(error, "INDETERMINATE")) this.#open--;
      else this.#life.doubt(ttlMs);
      throw error;
    } finally {
      if (--this.#underWay === 0) this.#longestMs = 0;
    }
    this.#open--;
    const held = replies.every((reply) => reply.ok);
    if (held) this.#info = next;
    return held;
  }

  /**
   * An extension; where the holder has changed, an acquire of the same owner under guard, which also writes the new
   * info.
   */
  #group(lock: Key, ttl: number, info: string): Group {
    const { owner, grant, mode, host } = this.#granting;
    if (info !== this.#info && mode === "exclusive" && host.capabilities?.guard === "atomic") {
      return { guards: [{ lock, owner, grant }], ops: [{ op: "acquire", lock, owner, mode, ttl, info }] };
    }
    return { ops: [{ op: "extend", lock, owner, grant, ttl }] };
  }
}
