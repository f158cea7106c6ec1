import { metaKeys, readMeta, type PeerRecord } from "./meta.ts";
import type { Peers } from "./peers.ts";
import type { SignalHub } from "./signal-hub.ts";
import { self, type Site } from "./site.ts";

/** The processes that have the data open, as they have registered in it. */
export class Roster {
  readonly #site: Site;
  readonly #peers: Peers;
  readonly #signals: SignalHub;
  #entering = false;

  constructor(site: Site, peers: Peers, signals: SignalHub) {
    this.#site = site;
    this.#peers = peers;
    this.#signals = signals;
  }

  /** Connects to all of them: each sees the end of the others, also one that is over already. */
  link(): void {
    const ids = this.#site.reads?.snapshot(({ tables }) => tables.meta.suffixes(metaKeys.peers, 1_000)) ?? [];
    this.#peers.link(this.#find(ids.filter((id) => id !== self)) ?? []);
  }

  /** Has processes read the log, by their ids. */
  wake(ids: readonly string[]): void {
    if (ids.includes(self)) this.#signals.look();
    for (const peer of this.#find(ids.filter((id) => id !== self)) ?? []) this.#peers.ping(peer);
  }

  /** Others may have taken us for dead, when our socket's file was removed. */
  checkSelf(): void {
    if (!this.#site.reads || this.#entering || this.#find([self])?.length !== 0) return;
    const peer: PeerRecord = { id: self, socket: this.#peers.socket };
    this.#entering = true;
    void this.#site
      .command({ do: "enter", peer })
      .finally(() => (this.#entering = false))
      .then(
        () => this.#signals.renew(),
        () => this.#signals.lose(),
      );
  }

  /** Those that are registered; undefined while that cannot be read. */
  #find(ids: readonly string[]): readonly PeerRecord[] | undefined {
    if (ids.length === 0) return [];
    const found = this.#site.reads?.snapshot(({ tables: { meta } }) => {
      return ids.map((id) => readMeta<PeerRecord>(meta, metaKeys.peer(id)));
    });
    return found?.filter((peer) => peer !== undefined);
  }
}
