import type { Time } from "../../base/time.ts";
import { closedError } from "../common/failures.ts";
import { Opening } from "../common/opening.ts";
import { Passing } from "../common/passing.ts";
import type { Command } from "./commands.ts";
import { Commits } from "./commits.ts";
import { Deaths } from "./deaths.ts";
import type { Engine, Place } from "./engine.ts";
import type { PeerRecord } from "./meta.ts";
import { Peers } from "./peers.ts";
import { Reads } from "./reads.ts";
import { Roster } from "./roster.ts";
import { SignalHub } from "./signal-hub.ts";
import { self, type Site } from "./site.ts";
import { Sweeper } from "./sweeper.ts";
import type { ReadableTables } from "./tables.ts";
import { WorkerHost } from "./worker-host.ts";

/** How often an open is tried that meets the end of another process. */
const openTries = 20;
/** How long a command of our own may take. */
const commandTimeout = 60_000;
/** Most locks that are passed on in one command. */
const passedAtOnce = 64;

/** What a process has of data: one commit thread, one way to read, one socket, shared by all its backends. */
export class Environment implements Site {
  readonly backend: string;
  readonly place: Place;
  readonly commits: Commits;
  readonly signals: SignalHub;
  readonly time: Time;
  readonly #engine: Engine;
  readonly #peers: Peers;
  readonly #roster: Roster;
  readonly #deaths: Deaths;
  readonly #passing: Passing;
  readonly #sweeper: Sweeper;
  readonly #opening: Opening<WorkerHost>;
  readonly #after: Promise<void> | undefined;
  #listening: Promise<void> | undefined;
  #host: WorkerHost | undefined;
  #tables: ReadableTables | undefined;
  #closed = false;
  /** Reads from the data, while it is open. */
  reads: Reads | undefined;

  /** Opens nothing before `after`: the end of the environment that had the place before. */
  constructor(engine: Engine, place: Place, time: Time, after: Promise<void> | undefined) {
    this.backend = engine.name;
    this.#engine = engine;
    this.place = place;
    this.#after = after;
    this.time = time;
    this.commits = new Commits(time, engine, ({ ping, passing }) => {
      if (ping.length > 0) this.#roster.wake(ping);
      for (let i = 0; i < passing.length; i += 2) this.#passing.plan(passing[i] as string, passing[i + 1] as number);
    });
    this.#opening = new Opening(engine.name, time, () => this.#open());
    this.#passing = new Passing(time, (locks) => this.#passOn(locks));
    this.signals = new SignalHub(this, () => {
      this.#roster.checkSelf();
      this.#roster.link();
    });
    this.#sweeper = new Sweeper(this, () => this.signals.watching);
    this.#peers = new Peers({
      speech: engine,
      folder: place.sockets,
      alone: place.alone,
      onPing: () => this.signals.look(),
      onLoss: (peer) => {
        this.signals.look();
        this.#deaths.suspect(peer);
      },
      onStranger: () => this.#roster.link(),
    });
    this.#roster = new Roster(this, this.#peers, this.signals);
    this.#deaths = new Deaths(this, this.#peers);
  }

  /** Opens what is not open; the id of the data. Concurrent calls share one attempt. */
  async open(): Promise<string> {
    return (await this.#opening.open()).ready.domain;
  }

  /** As {@link open}, for a call that waits until its deadline. */
  async openBefore(deadline: number): Promise<void> {
    await this.#opening.openBefore(deadline);
  }

  async #open(): Promise<WorkerHost> {
    await this.#engine.load();
    await this.#after;
    this.#listening ??= this.#peers.listen();
    try {
      await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
    const peer: PeerRecord = { id: self, socket: this.#peers.socket };
    const host = await this.#startHost(peer);
    if (this.#closed) {
      await host.close();
      throw closedError(this.backend);
    }
    this.#host = host;
    try {
      this.#tables = this.place.openReadable();
    } catch (error) {
      this.#host = undefined;
      await host.close();
      throw this.#engine.explain(error as Error);
    }
    host.opened();
    this.reads = new Reads(this.backend, this.#tables, host.ready.epoch);
    // Before anything of ours can be committed: whoever waits for it later is to see our end.
    this.#roster.link();
    this.commits.attach(host);
    this.#sweeper.start();
    return host;
  }

  /**
   * Starts the commit thread; tries again where the last process that had the data open closed it in that
   * instant.
   */
  async #startHost(peer: PeerRecord): Promise<WorkerHost> {
    for (let tried = 1; ; tried++) {
      try {
        return await WorkerHost.start(
          this.#engine,
          this.place.thread(),
          peer,
          (done) => this.commits.done(done),
          (gone) => this.#lost(gone),
        );
      } catch (error) {
        if (!this.#engine.isPassing(error) || tried === openTries || this.#closed) throw error;
        // Whoever opens while another one is about to try again finds the same: the pauses differ, and grow.
        await new Promise<void>((resolve) => void this.time.after(Math.random() * 5 * tried, resolve));
      }
    }
  }

  /** The commit thread ended by itself: everything is opened anew, at once if calls wait. */
  #lost(host: WorkerHost): void {
    if (this.#host !== host) return;
    this.#host = undefined;
    this.reads = undefined;
    // The thread may have left the environment it shared with us inside a transaction.
    void this.#tables?.close();
    this.#tables = undefined;
    this.#sweeper.stop();
    this.#opening.lost();
    this.commits.detach();
    if (!this.#closed)
      void this.reopen().then(
        () => this.signals.renew(),
        () => this.signals.lose(),
      );
  }

  /** As {@link open}, for calls that already wait: they fail when it does. */
  async reopen(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      this.commits.fail(this.#engine.explain(error as Error));
      throw error;
    }
  }

  /** Lets the commit thread finish what was sent, and closes everything. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#sweeper.stop();
    this.#passing.clear();
    this.#deaths.clear();
    this.commits.fail(closedError(this.backend));
    await this.#opening.close();
    const host = this.#host;
    if (host) {
      // What this process registered; it is found dead otherwise, which costs others a look.
      await this.commits.command({ do: "bury", peer: self }, this.time.monotonic() + 1_000).catch(() => undefined);
      this.#host = undefined;
      this.commits.detach();
    }
    this.reads = undefined;
    const tables = this.#tables;
    this.#tables = undefined;
    await tables?.close();
    await host?.close();
    if (this.#listening) await this.#peers.close();
  }

  /**
   * Has locks passed on whose time has come; most often somebody has acted meanwhile, and there is nothing to commit.
   */
  #passOn(locks: readonly string[]): void {
    const due: string[] = [];
    for (const lock of locks) {
      const ms = this.reads?.passesIn(lock) ?? Infinity;
      if (ms <= 0) due.push(lock);
      else if (ms < Infinity) this.#passing.plan(lock, ms);
    }
    for (let i = 0; i < due.length; i += passedAtOnce) {
      // Should it fail, the waiters' own patience is behind it.
      this.command({ do: "pass", locks: due.slice(i, i + passedAtOnce) }).catch(() => undefined);
    }
  }

  /** Runs a command of our own. */
  command(command: Command): Promise<unknown> {
    return this.commits.command(command, this.time.monotonic() + commandTimeout);
  }
}
