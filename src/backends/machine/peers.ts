import { createConnection, createServer, type Server, type Socket } from "node:net";
import { UnsupportedError, type HoldfastError } from "../../base/errors.ts";
import { knowsSpace, tagOf } from "../../base/process-tag.ts";
import type { Speech } from "./engine.ts";
import type { PeerRecord } from "./meta.ts";
import { self } from "./site.ts";
import { isAnswered, SocketFolder } from "./sockets.ts";

/** What is said over a socket, one byte each: who it is comes first, as a line. */
const pinged = "!";
const leaving = ".";
const greeting = /^([\w.-]{1,128})\n/;

interface PeersOptions {
  readonly speech: Speech;
  /** The folder of the sockets. */
  readonly folder: string;
  /** Whether other threads of this process, and other spaces of process numbers, are kept out. */
  readonly alone: boolean;
  /** There is something in the log for this process. */
  onPing(): void;
  /** A process left without a word, or cannot be reached; its id. It may be no more. */
  onLoss(peer: string): void;
  /** As {@link onLoss}, of a process that had not yet said who it is. */
  onStranger(): void;
}

/**
 * The sockets between the processes that share data. A byte wakes a process to read the log; a connection that breaks
 * without a farewell says that its process is no more. None of them keeps the process alive.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #server: Server;
  readonly #folder: SocketFolder;
  readonly #sockets = new Set<Socket>();
  /** One connection to each process, whichever side made it. */
  readonly #links = new Map<string, Socket>();
  /** The name of this process's socket. Where it names the process alone, it is what keeps out a second thread. */
  readonly socket: string;
  #closed = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.socket = this.#socketOf(self);
    this.#folder = new SocketFolder(options.folder);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /**
   * Starts to listen. Rejects with UnsupportedError where it is to be `alone` and another thread of this process has
   * the data open, or a process of another space of process numbers, as another container has.
   *
   * Whoever wants it listens first and looks for others then: of two that come at once at least one sees the other.
   * That one stops to listen, and looks again after a pause by chance; one that is there each time is there to stay.
   */
  async listen(): Promise<void> {
    const { alone, speech } = this.#options;
    if (alone && !knowsSpace()) throw unknownSpace(speech);
    try {
      for (let tried = 1; ; tried++) {
        await this.#claim();
        const other = await this.#folder.clear();
        // Its file may have been taken for a dead one's in the instant before it was listened on.
        if (!(alone && other !== undefined) && this.#folder.has(this.socket)) return;
        if (tried === looks) throw sharedWithOthers(speech);
        await this.#stop();
        await new Promise<void>((resolve) => setTimeout(resolve, 5 + Math.random() * 15 * tried));
      }
    } catch (error) {
      // One that goes on to listen would look like another thread to whoever opens the data next.
      await this.#stop();
      this.#folder.close();
      throw speech.explain(error as Error);
    }
  }

  async #claim(): Promise<void> {
    const at = this.#folder.at(this.socket);
    try {
      await this.#bind(at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw unusable(error, this.#options.speech);
      if (await isAnswered(at)) {
        const { name, what } = this.#options.speech;
        throw new UnsupportedError(
          `the ${what} is open in another thread of this process, or through another copy of the ` +
            "package: two writers of one process can block each other, so open it in one place",
          { backend: name },
        );
      }
      this.#folder.remove(this.socket);
      await this.#bind(at);
    }
  }

  /** Wakes a process. */
  ping(peer: PeerRecord): void {
    const socket = this.#connect(peer);
    // One that has not taken the last byte yet will see this news with it.
    if (socket.writableLength < 128) socket.write(pinged);
  }

  /** Holds a connection to each of them, so that the death of either side is seen by the other. */
  link(peers: readonly PeerRecord[]): void {
    for (const peer of peers) this.#connect(peer);
  }

  /** Says farewell to everybody. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.end(leaving);
    await this.#stop();
    this.#folder.close();
  }

  #stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroySoon();
    });
  }

  #bind(at: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(at, () => {
        this.#server.off("error", reject);
        if (this.#server.listenerCount("error") === 0) this.#server.on("error", () => this.#server.close());
        this.#server.unref();
        resolve();
      });
    });
  }

  #connect(peer: PeerRecord): Socket {
    const open = this.#links.get(peer.id);
    if (open) return open;
    const socket = this.#adopt(createConnection(this.#folder.at(peer.socket)));
    socket.write(`${self}\n`);
    this.#follow(socket, peer.id);
    return socket;
  }

  #accept(socket: Socket): void {
    this.#adopt(socket);
    let start = "";
    const stranger = (): void => {
      if (!this.#closed) this.#options.onStranger();
    };
    socket.once("close", stranger);
    const greet = (chunk: Buffer): void => {
      start += chunk.toString("latin1");
      const match = greeting.exec(start);
      if (!match) {
        if (start.length > 128) socket.destroy();
        return;
      }
      socket.off("data", greet);
      socket.off("close", stranger);
      const heard = this.#follow(socket, match[1] as string);
      const rest = start.slice(match[0].length);
      if (rest) heard(Buffer.from(rest, "latin1"));
    };
    socket.on("data", greet);
  }

  #adopt(socket: Socket): Socket {
    socket.unref();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // "close" follows, and is what counts.
    socket.on("error", () => socket.destroy());
    return socket;
  }

  /** Listens to a peer that is known; returns what to do with bytes. */
  #follow(socket: Socket, peer: string): (chunk: Buffer) => void {
    this.#links.set(peer, socket);
    let farewell = false;
    let dead = !socket.connecting;
    const heard = (chunk: Buffer): void => {
      const text = chunk.toString("latin1");
      if (text.includes(leaving)) farewell = true;
      if (text.includes(pinged)) this.#options.onPing();
    };
    socket.on("data", heard);
    socket.once("connect", () => (dead = true));
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      // Nobody listens there any more. Any other failure to connect says nothing: one that is stopped may have too
      // many waiting.
      if (code === "ECONNREFUSED" || code === "ENOENT") dead = true;
    });
    socket.once("close", () => {
      if (this.#links.get(peer) === socket) this.#links.delete(peer);
      if (dead && !farewell && !this.#closed) this.#options.onLoss(peer);
    });
    return heard;
  }

  /** Removes the socket's file of a process that is no more. */
  forget(peer: string): void {
    this.#folder.remove(this.#socketOf(peer));
  }

  #socketOf(peer: string): string {
    return this.#options.alone ? tagOf(peer) : peer;
  }
}

/** How often to look whether processes of another space of numbers are there. */
const looks = 14;

function unknownSpace({ name }: Speech): UnsupportedError {
  return new UnsupportedError(
    "/proc/self/ns/pid cannot be read, so processes of another container could not be told from " +
      "those of this one: mount /proc",
    { backend: name },
  );
}

function sharedWithOthers({ name, what }: Speech): UnsupportedError {
  return new UnsupportedError(
    `the ${what} is open in another container (pid namespace), and the locks in it name ` +
      "processes by numbers that mean others there: run all that share it in one container or with " +
      "one pid namespace, wait until the other has ended, or use a server",
    { backend: name },
  );
}

function unusable(cause: unknown, { name, what, explain }: Speech): HoldfastError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return explain(cause as Error);
  return new UnsupportedError(
    "no socket can be made beside the data, by which the processes that share it wake each other: " +
      `use a local disk whose file system has sockets, and grant write permission on the ${what}'s sockets folder`,
    { backend: name, cause },
  );
}
