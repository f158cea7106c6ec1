import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { InvalidArgumentError, isHoldfastError, UnavailableError, UnsupportedError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import type { Attempt as AttemptBase } from "../../common/reconnecting.ts";
import { collected } from "./answers.ts";
import type { Asking } from "./asked.ts";
import { Link } from "./link.ts";
import type { Server, Settings } from "./options.ts";
import { ProtocolError, type Reply } from "./parser.ts";

/** For errors. */
export const BACKEND = "memcached";

/** One attempt to connect to a server, and to find out whether it will do. */
export class Attempt implements AttemptBase<Link> {
  readonly #server: Server;
  readonly #settings: Settings;
  readonly #time: Time;
  readonly #onLost: (link: Link, why: Error) => void;
  #socket: Socket | undefined;
  #abandoned: Error | undefined;

  constructor(server: Server, settings: Settings, time: Time, onLost: (link: Link, why: Error) => void) {
    this.#server = server;
    this.#settings = settings;
    this.#time = time;
    this.#onLost = onLost;
  }

  /**
   * Rejects with UnavailableError, with UnsupportedError for a server that lacks what is needed, and with
   * InvalidArgumentError for credentials that are refused.
   */
  async establish(): Promise<Link> {
    const { connectTimeout, silence } = this.#settings;
    const deadline = this.#time.monotonic() + connectTimeout;
    const timer = this.#time.after(connectTimeout, () => this.abandon(new Error(`no answer in ${connectTimeout} ms`)));
    try {
      const socket = await this.#connect();
      const link: Link = new Link(socket, this.#time, silence, (why) => this.#onLost(link, why));
      await this.#greet(link, deadline);
      return link;
    } catch (error) {
      this.#socket?.destroy();
      if (isHoldfastError(error)) throw error;
      const cause = this.#abandoned ?? error;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UnavailableError(`${this.#server.name} cannot be reached: ${why}`, { backend: BACKEND, cause });
    } finally {
      timer.clear();
    }
  }

  abandon(why: Error): void {
    this.#abandoned ??= why;
    this.#socket?.destroy(this.#abandoned);
  }

  #connect(): Promise<Socket> {
    const { host, port } = this.#server;
    const { tls } = this.#settings;
    const where = host.startsWith("/") ? { path: host } : { host, port };
    const options = { ...where, noDelay: true, keepAlive: true };
    const socket = tls
      ? connectTls({ ...(host.startsWith("/") ? {} : { servername: nameFor(host) }), ...tls, ...options })
      : connect(options);
    this.#socket = socket;
    socket.unref(); // whoever waits for it keeps the process alive
    return new Promise((resolve, reject) => {
      const failed = (error?: Error): void => reject(error ?? new Error("the connection was closed"));
      socket.on("error", failed); // also one that comes after the first: nobody else listens before there is a link
      socket.once("close", () => failed());
      socket.once(tls ? "secureConnect" : "connect", () => {
        resolve(socket);
      });
      if (this.#abandoned) socket.destroy(this.#abandoned);
    });
  }

  /** Signs in, and asks for what must be known of the server, in one go. */
  async #greet(link: Link, deadline: number): Promise<void> {
    const { credentials } = this.#settings;
    const ask = async <T>(line: string, read: Asking<T>["read"], data?: Buffer): Promise<T> =>
      link.ask({ line, data, read, deadline, numbered: false });
    if (credentials) await this.#signIn(ask, credentials);
    const probe = link.ask({
      line: "mg aG9sZGZhc3Q= b v",
      read: ({ code }) => code === "EN" || code === "VA",
      deadline,
      numbered: true,
    });
    const stats = ask("stats", collected());
    const settings = ask("stats settings", collected());
    try {
      const told = await Promise.all([stats, settings, probe]);
      const version = told[0].get("version") ?? "";
      if (!told[2]) throw this.#lacking(version, "it does not know the meta protocol");
      if (told[1].get("cas_enabled") !== "yes")
        throw this.#lacking(version, "it was started with -C: it compares nothing");
      const clock = Number(told[0].get("time")) - this.#time.monotonic() / 1_000;
      const maxItem = Number(told[1].get("item_size_max"));
      if (!(maxItem > 0) || !Number.isFinite(clock)) throw new ProtocolError("it does not tell how large items may be");
      link.learn({ version, maxItem, clock });
    } catch (error) {
      link.close(error);
      await Promise.allSettled([probe, stats, settings]);
      if (isHoldfastError(error) || !(error instanceof Error)) throw error;
      if (/unauthenticated|authentication/i.test(error.message)) {
        throw new InvalidArgumentError(`${this.#server.name} asks for a user and a password`, { backend: BACKEND });
      }
      if (/did not understand|another request|^memcached: ERROR$/.test(error.message)) {
        throw this.#lacking("", "it does not know the meta protocol");
      }
      throw error;
    }
  }

  async #signIn(
    ask: (line: string, read: (reply: Reply) => boolean, data: Buffer) => Promise<boolean>,
    { username, password }: NonNullable<Settings["credentials"]>,
  ): Promise<void> {
    const data = Buffer.from(`${username} ${password}`);
    try {
      await ask(`set auth 0 0 ${data.length}`, ({ code }) => code === "STORED", data);
    } catch (error) {
      if (!(error instanceof Error) || !/authentication/i.test(error.message)) throw error;
      throw new InvalidArgumentError(`${this.#server.name} refuses the user or the password`, { backend: BACKEND });
    }
  }

  #lacking(version: string, why: string): UnsupportedError {
    const which = version === "" ? this.#server.name : `memcached ${version} at ${this.#server.name}`;
    return new UnsupportedError(`${which} will not do: ${why}. 1.6.18 and newer are known to`, { backend: BACKEND });
  }
}

/** The name that a certificate must bear; none for an address, which is no name. */
function nameFor(host: string): string {
  return /^[\d.]+$|:/.test(host) ? "" : host;
}
