import type { Time, Timer } from "../../base/time.ts";
import type { Command } from "./commands.ts";
import { isForeign, isOver, tagOf } from "../../base/process-tag.ts";
import { metaKeys, readMeta, suffixes } from "./meta.ts";
import type { Reads } from "./reads.ts";
import type { Tables } from "./tables.ts";

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

interface DeathsOptions {
  readonly time: Time;
  /** This process's id. */
  readonly self: string;
  tables(): Tables | undefined;
  reads(): Reads | undefined;
  command(command: Command): Promise<unknown>;
  /** Called when it is certain, with the tag of the process. */
  onDeath(tag: string): void;
}

/**
 * Processes whose sockets are closed, which may mean that they are no more: asks the kernel until that is certain.
 * Then passes on what they held or stood in the way of, and clears up behind them.
 */
export class Deaths {
  readonly #options: DeathsOptions;
  readonly #suspects = new Map<string, Timer | undefined>();

  constructor(options: DeathsOptions) {
    this.#options = options;
  }

  suspect(peer: string): void {
    if (this.#suspects.has(peer)) return;
    this.#suspects.set(peer, undefined);
    this.#ask(peer, firstPause, this.#options.time.monotonic() + patience);
  }

  clear(): void {
    for (const timer of this.#suspects.values()) timer?.clear();
    this.#suspects.clear();
  }

  #ask(peer: string, pause: number, until: number): void {
    const { time, onDeath } = this.#options;
    const tag = tagOf(peer);
    const over = isOver(tag);
    // Of another space of process numbers nobody can know: what says nothing of locks is cleared up.
    if (over || isForeign(tag)) {
      if (over) onDeath(tag);
      void this.#bury(peer, over).finally(() => this.#suspects.delete(peer));
    } else if (time.monotonic() > until) this.#suspects.delete(peer);
    else {
      const again = (): void => this.#ask(peer, Math.min(pause * 2, longestPause), until);
      this.#suspects.set(peer, time.after(pause, again));
    }
  }

  /** Unless another process has. */
  async #bury(peer: string, over: boolean): Promise<void> {
    const { tables, command } = this.#options;
    try {
      if (over) {
        await this.#passOn();
        // A commit that was under way, of this process or of another, may have found it alive: an empty one comes
        // after that.
        await command({ do: "pass", locks: [] });
        await this.#passOn();
      }
      for (let more = true; more;) {
        const open = tables();
        open?.root.resetReadTxn();
        if (!open || !readMeta(open.meta, metaKeys.peer(peer))) return;
        more = (await command({ do: "bury", peer })) === true;
      }
    } catch {
      return; // whoever acquires next passes over what it left all the same
    }
  }

  /** Passes on the locks that this process waits for and that nobody else holds any more. */
  async #passOn(): Promise<void> {
    const { self, tables, reads, command } = this.#options;
    const open = tables();
    if (!open) return;
    open.root.resetReadTxn();
    const waits = suffixes(open.meta, metaKeys.waits(self), mostWaits);
    open.root.resetReadTxn();
    for (let i = 0; i < waits.length; i += step) {
      const locks = waits.slice(i, i + step).filter((lock) => reads()?.passesIn(lock) === 0);
      if (locks.length > 0) await command({ do: "pass", locks });
    }
  }
}
