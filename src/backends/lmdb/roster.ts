import type { Command } from "./commands.ts";
import { metaKeys, readMeta, suffixes, type PeerRecord } from "./meta.ts";
import type { Peers } from "./peers.ts";
import type { SignalHub } from "./signal-hub.ts";
import type { Tables } from "./tables.ts";

interface RosterOptions {
  /** This process's id. */
  readonly self: string;
  tables(): Tables | undefined;
  readonly peers: Peers;
  readonly signals: SignalHub;
  command(command: Command): Promise<unknown>;
}

/** The processes that have the directory open, as they have registered in it. */
export class Roster {
  readonly #options: RosterOptions;
  #entering = false;

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Connects to all of them: each sees the end of the others, also one that is over already. */
  link(): void {
    const { self, tables, peers } = this.#options;
    const open = tables();
    if (!open) return;
    open.root.resetReadTxn();
    const ids = suffixes(open.meta, metaKeys.peers, 1_000).filter((id) => id !== self);
    peers.link(ids.map((id) => this.#find(id)).filter((peer) => peer !== undefined));
    open.root.resetReadTxn();
  }

  /** Has processes read the log, by their ids. */
  wake(ids: readonly string[]): void {
    const { self, tables, peers, signals } = this.#options;
    for (const id of ids) {
      if (id === self) signals.look();
      else {
        tables()?.root.resetReadTxn();
        const peer = this.#find(id);
        if (peer) peers.ping(peer);
      }
    }
  }

  /** Others may have taken us for dead, when our socket's file was removed. */
  checkSelf(): void {
    const { self, tables, peers, signals, command } = this.#options;
    const open = tables();
    if (!open || this.#entering) return;
    open.root.resetReadTxn();
    if (this.#find(self)) return;
    const peer: PeerRecord = { id: self, socket: peers.socket };
    this.#entering = true;
    void command({ do: "enter", peer })
      .finally(() => (this.#entering = false))
      .then(
        () => signals.renew(),
        () => signals.lose(),
      );
  }

  #find(id: string): PeerRecord | undefined {
    const tables = this.#options.tables();
    return tables && readMeta<PeerRecord>(tables.meta, metaKeys.peer(id));
  }
}
