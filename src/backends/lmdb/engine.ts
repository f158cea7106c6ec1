import { InvalidArgumentError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import type { Time, Timer } from "../../base/time.ts";
import { leaseNow } from "./clock.ts";
import type { Command } from "./commands.ts";
import { Commits } from "./commits.ts";
import { Deaths } from "./deaths.ts";
import type { Directory } from "./directory.ts";
import { loadDriver } from "./driver.ts";
import { openReadable, type Tables } from "./tables.ts";
import { due } from "./expiry-index.ts";
import { closedError, closedMeanwhile, toError } from "./failures.ts";
import { processTag } from "../../base/process-tag.ts";
import { metaKeys, readMeta, suffixes, type PeerRecord } from "./meta.ts";
import { Peers } from "./peers.ts";
import { Reads } from "./reads.ts";
import { othersSweep } from "./run-command.ts";
import { SignalHub } from "./signal-hub.ts";
import { WatchCache } from "./transaction.ts";
import { Turns } from "./turns.ts";
import { WorkerHost } from "./worker-host.ts";

/** Names this process, or this thread of it, in every directory, and starts with its tag. The ids of its sessions start with it. */
export const self = `${processTag()}.${drawId()}`;

/** How often expired records are looked for, and how soon where somebody watches, in ms. */
const sweepEvery = 1_000;
const sweepSoon = 100;
/** Between two steps of a long sweep. */
const sweepBreath = 20;
/** How often an open is tried that meets the end of another process. */
const openTries = 20;
/** How long a command of our own may take. */
const commandTimeout = 60_000;

/** What a process has of one directory: one commit thread, one way to read, one socket, shared by all its backends. */
export class Engine {
  readonly directory: Directory;
  readonly commits: Commits;
  readonly signals: SignalHub;
  readonly #time: Time;
  readonly #mapSize: number;
  readonly #peers: Peers;
  readonly #deaths: Deaths;
  readonly #turns: Turns;
  readonly #watches = new WatchCache();
  readonly #after: Promise<void> | undefined;
  #listening: Promise<void> | undefined;
  #opening: Promise<void> | undefined;
  #host: WorkerHost | undefined;
  #tables: Tables | undefined;
  #sweeper: Timer | undefined;
  #entering = false;
  #closed = false;
  /** Reads from the directory, while it is open. */
  reads: Reads | undefined;

  /** Opens nothing before `after`: the end of the engine that had the directory before. */
  constructor(directory: Directory, time: Time, mapSize: number, after: Promise<void> | undefined) {
    this.directory = directory;
    this.#after = after;
    this.#time = time;
    this.#mapSize = mapSize;
    this.commits = new Commits(time, ({ ping, turns }) => {
      if (ping.length > 0) this.#wake(ping);
      for (let i = 0; i < turns.length; i += 2) this.#turns.plan(turns[i] as string, turns[i + 1] as number);
    });
    this.#turns = new Turns(
      time,
      (lock) => this.reads?.turn(lock),
      (locks) => this.#command({ do: "turn", locks }),
    );
    this.signals = new SignalHub({
      time,
      tables: () => this.#tables,
      command: (command) => this.#command(command),
      onPatience: () => {
        this.#checkSelf();
        this.#link();
      },
    });
    this.#peers = new Peers({
      directory: directory.sockets,
      self,
      onPing: () => this.signals.look(),
      onLoss: (peer) => {
        this.signals.look();
        this.#deaths.suspect(peer);
      },
      onStranger: () => this.#link(),
    });
    this.#deaths = new Deaths({
      time,
      self,
      tables: () => this.#tables,
      reads: () => this.reads,
      command: (command) => this.#command(command),
      onDeath: (tag) => this.#peers.forget(tag),
    });
  }

  /** Opens what is not open. Concurrent calls share one attempt. */
  open(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.reads) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const driver = await loadDriver();
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
      throw closedError();
    }
    this.#host = host;
    try {
      this.#tables = openReadable(driver, this.directory.files, this.#mapSize);
    } catch (error) {
      this.#host = undefined;
      await host.close();
      throw toError(error as Error);
    }
    host.go();
    this.reads = new Reads(this.#tables, host.epoch);
    // Before anything of ours can be committed: whoever waits for it later is to see our end.
    this.#link();
    this.commits.attach(host);
    this.#planSweep();
  }

  /** Starts the commit thread; tries again where the last process that had the directory open closed it in that instant. */
  async #startHost(peer: PeerRecord): Promise<WorkerHost> {
    for (let tried = 1; ; tried++) {
      try {
        return await WorkerHost.start(
          { files: this.directory.files, mapSize: this.#mapSize, peer },
          (done) => this.commits.done(done),
          (gone) => this.#lost(gone),
        );
      } catch (error) {
        if (!closedMeanwhile(error) || tried === openTries || this.#closed) throw error;
        // Whoever opens while another one is about to try again finds the same: the pauses differ, and grow.
        await new Promise<void>((resolve) => void this.#time.after(Math.random() * 5 * tried, resolve));
      }
    }
  }

  /** The commit thread ended by itself: everything is opened anew, at once if calls wait. */
  #lost(host: WorkerHost): void {
    if (this.#host !== host) return;
    this.#host = undefined;
    this.reads = undefined;
    // The thread may have left the environment it shared with us inside a transaction.
    void this.#tables?.root.close();
    this.#tables = undefined;
    this.#sweeper?.clear();
    this.commits.detach();
    if (!this.#closed)
      void this.reopen().then(
        () => this.signals.renew(),
        () => this.signals.lose(),
      );
  }

  /** As {@link open}, for calls that already wait: they fail when it does. */
  reopen(): Promise<void> {
    return this.open().catch((error: unknown) => {
      this.commits.fail(toError(error as Error));
      throw error;
    });
  }

  /** Connects to every process that has the directory open: each sees the end of the others, also one that is over already. */
  #link(): void {
    const tables = this.#tables;
    if (!tables) return;
    tables.root.resetReadTxn();
    const ids = suffixes(tables.meta, metaKeys.peers, 1_000).filter((id) => id !== self);
    this.#peers.link(ids.map((id) => this.#peer(id)).filter((peer) => peer !== undefined));
    tables.root.resetReadTxn();
  }

  /** Publishes to a topic. */
  async publish(topic: string, body: string): Promise<void> {
    if (Buffer.byteLength(body) > 32 * 1024)
      throw new InvalidArgumentError("a message must be at most 32 KiB", { backend: "lmdb" });
    await this.open();
    this.#tables?.root.resetReadTxn();
    // A subscription that has resolved is seen here.
    if (this.#tables && !this.#watches.read(this.#tables).topics.has(topic)) return;
    await this.#command({ do: "publish", topic, body });
  }

  /** Lets the commit thread finish what was sent, and closes everything. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#sweeper?.clear();
    this.#turns.clear();
    this.#deaths.clear();
    this.commits.fail(closedError());
    await this.#opening?.catch(() => undefined);
    const host = this.#host;
    if (host) {
      // What this process registered; it is found dead otherwise, which costs others a look.
      await this.commits.command({ do: "bury", peer: self }, this.#time.monotonic() + 1_000).catch(() => undefined);
      this.#host = undefined;
      this.commits.detach();
    }
    this.reads = undefined;
    const tables = this.#tables;
    this.#tables = undefined;
    await tables?.root.close();
    await host?.close();
    if (this.#listening) await this.#peers.close();
  }

  #peer(id: string): PeerRecord | undefined {
    return this.#tables && readMeta<PeerRecord>(this.#tables.meta, metaKeys.peer(id));
  }

  #wake(ids: readonly string[]): void {
    for (const id of ids) {
      if (id === self) this.signals.look();
      else {
        this.#tables?.root.resetReadTxn();
        const peer = this.#peer(id);
        if (peer) this.#peers.ping(peer);
      }
    }
  }

  /** Others may have taken us for dead, when our socket's file was removed. */
  #checkSelf(): void {
    const tables = this.#tables;
    if (!tables || this.#entering) return;
    tables.root.resetReadTxn();
    if (this.#peer(self)) return;
    const peer: PeerRecord = { id: self, socket: this.#peers.socket };
    this.#entering = true;
    void this.#command({ do: "enter", peer })
      .finally(() => (this.#entering = false))
      .then(
        () => this.signals.renew(),
        () => this.signals.lose(),
      );
  }

  #planSweep(ms = this.signals.watching ? sweepSoon : sweepEvery): void {
    this.#sweeper?.clear();
    this.#sweeper = this.#time.after(ms, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    let more = false;
    try {
      const tables = this.#tables;
      const epoch = this.#host?.epoch;
      if (!tables || epoch === undefined) return;
      tables.root.resetReadTxn();
      const wanted = due(tables.expiry, Date.now(), 1).length > 0 && !othersSweep(tables.meta, self, epoch, leaseNow());
      tables.root.resetReadTxn();
      if (wanted) more = (await this.#command({ do: "sweep" })) === true;
    } catch {
      return; // the next one is planned all the same
    } finally {
      if (this.#tables) this.#planSweep(more ? sweepBreath : undefined);
    }
  }

  #command(command: Command): Promise<unknown> {
    return this.commits.command(command, this.#time.monotonic() + commandTimeout);
  }
}
