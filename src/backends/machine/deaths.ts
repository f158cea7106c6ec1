import type { Timer } from "../../base/time.ts";
import { isForeign, isOver, tagOf } from "../../base/process-tag.ts";
import { metaKeys } from "./meta.ts";
import type { Peers } from "./peers.ts";
import { self, type Site } from "./site.ts";

/**
 * The kernel closes the sockets of a process a moment before its number is free: how soon to ask again, at first and
 * at most, in ms.
 */
const firstPause = 1;
const longestPause = 40;
/** How long to go on asking, in ms. */
const patience = 2_000;
/** Most locks that are looked at when a process has died, and how many in one step. */
const mostWaits = 100_000;
const step = 64;

/**
 * Processes whose sockets are closed, which may mean that they are no more: asks the kernel until that is certain.
 * Then passes on what they held or stood in the way of, and clears up behind them.
 */
export class Deaths {
  readonly #site: Site;
  readonly #peers: Peers;
  readonly #suspects = new Map<string, Timer | undefined>();

  constructor(site: Site, peers: Peers) {
    this.#site = site;
    this.#peers = peers;
  }

  suspect(peer: string): void {
    if (this.#suspects.has(peer)) return;
    this.#suspects.set(peer, undefined);
    this.#ask(peer, firstPause, this.#site.time.monotonic() + patience);
  }

  clear(): void {
    for (const timer of this.#suspects.values()) timer?.clear();
    this.#suspects.clear();
  }

  #ask(peer: string, pause: number, until: number): void {
    const { time } = this.#site;
    const tag = tagOf(peer);
    const over = isOver(tag);
    // Of another space of process numbers nobody can know: what says nothing of locks is cleared up.
    if (over || isForeign(tag)) {
      if (over) this.#peers.forget(peer);
      void this.#bury(peer, over).finally(() => this.#suspects.delete(peer));
    } else if (time.monotonic() > until) this.#suspects.delete(peer);
    else {
      const again = (): void => this.#ask(peer, Math.min(pause * 2, longestPause), until);
      this.#suspects.set(peer, time.after(pause, again));
    }
  }

  /** Unless another process has. */
  async #bury(peer: string, over: boolean): Promise<void> {
    const site = this.#site;
    try {
      if (over) {
        await this.#passOn();
        // A commit that was under way, of this process or of another, may have found it alive: an empty one comes
        // after that.
        await site.command({ do: "pass", locks: [] });
        await this.#passOn();
      }
      for (let more = true; more;) {
        if (!site.reads?.snapshot(({ tables }) => tables.meta.get(metaKeys.peer(peer)))) return;
        more = (await site.command({ do: "bury", peer })) === true;
      }
    } catch {
      return; // whoever acquires next passes over what it left all the same
    }
  }

  /** Passes on the locks that this process waits for and that nobody else holds any more. */
  async #passOn(): Promise<void> {
    const site = this.#site;
    const mine = metaKeys.waits(self);
    const waits = site.reads?.snapshot(({ tables }) => tables.meta.suffixes(mine, mostWaits)) ?? [];
    for (let i = 0; i < waits.length; i += step) {
      const locks = waits.slice(i, i + step).filter((lock) => site.reads?.passesIn(lock) === 0);
      if (locks.length > 0) await site.command({ do: "pass", locks });
    }
  }
}
