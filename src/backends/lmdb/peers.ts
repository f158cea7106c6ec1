import { unlinkSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { UnsupportedError, type HoldfastError } from "../../base/errors.ts";
import { processTag } from "./clock.ts";
import { toError } from "./failures.ts";
import type { PeerRecord } from "./meta.ts";

/** What is said over a socket, one byte each: who it is comes first, as a line. */
const pinged = "!";
const leaving = ".";
const greeting = /^([\w.-]{1,64})\n/;

interface PeersOptions {
  readonly directory: string;
  /** This process's id. */
  readonly self: string;
  /** There is something in the log for this process. */
  onPing(): void;
  /** A process ended without a word; its id. */
  onDeath(peer: string): void;
}

/**
 * The sockets between the processes of a directory. A byte wakes a process to read the log; a connection that breaks without
 * a farewell says that its process is no more. None of them keeps the process alive.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** One connection to each process, whichever side made it. */
  readonly #links = new Map<string, Socket>();
  /** The name of this process's socket. It names the process, so that it is also what keeps out a second thread. */
  readonly socket: string;
  #closed = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.socket = processTag();
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Starts to listen. Rejects with UnsupportedError when another thread of this process has the directory open. */
  async listen(): Promise<void> {
    const at = this.#path(this.socket);
    try {
      await this.#bind(at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw unusable(error);
      if (await isAnswered(at)) {
        throw new UnsupportedError(
          "the directory is open in another thread of this process, or through another copy of the package: two writers of one process can block each other, so open it in one place",
          { backend: "lmdb" },
        );
      }
      unlinkSync(at);
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
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroySoon();
    });
  }

  #path(socket: string): string {
    return path.join(this.#options.directory, socket);
  }

  #bind(at: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(at, () => {
        this.#server.off("error", reject);
        this.#server.on("error", () => this.#server.close());
        this.#server.unref();
        resolve();
      });
    });
  }

  #connect(peer: PeerRecord): Socket {
    const open = this.#links.get(peer.id);
    if (open) return open;
    const socket = this.#adopt(createConnection(this.#path(peer.socket)));
    socket.write(`${this.#options.self}\n`);
    this.#follow(socket, peer.id);
    return socket;
  }

  #accept(socket: Socket): void {
    this.#adopt(socket);
    let start = "";
    const greet = (chunk: Buffer): void => {
      start += chunk.toString("latin1");
      const match = greeting.exec(start);
      if (!match) {
        if (start.length > 64) socket.destroy();
        return;
      }
      socket.off("data", greet);
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
      // Nobody listens there any more. Any other failure to connect says nothing: one that is stopped may have too many waiting.
      if (code === "ECONNREFUSED" || code === "ENOENT") dead = true;
    });
    socket.once("close", () => {
      if (this.#links.get(peer) === socket) this.#links.delete(peer);
      if (dead && !farewell && !this.#closed) this.#options.onDeath(peer);
    });
    return heard;
  }

  /** Removes the socket's file of a process that is no more. */
  forget(peer: PeerRecord): void {
    try {
      unlinkSync(this.#path(peer.socket));
    } catch {
      return; // it removed it itself, or another process has
    }
  }
}

function unusable(cause: unknown): HoldfastError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return toError(cause as Error);
  return new UnsupportedError(
    "no socket can be made beside the data, by which the processes that share it wake each other: use a local disk whose file system has sockets, and grant write permission on the directory's sockets folder",
    { backend: "lmdb", cause },
  );
}

/** Whether somebody listens on the socket. */
function isAnswered(at: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(at);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
