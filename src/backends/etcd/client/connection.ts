import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { StoreError } from "../../store/index.ts";
import { decode, encode, type Message } from "./messages.ts";

/** A call of gRPC: its path, and the types of what is asked and of what is answered. */
export interface Method {
  readonly path: string;
  readonly asks: string;
  readonly gets: string;
  /** More is answered for as long as it is not ended from here. */
  readonly stays?: true;
}

/** What a call ended with that did not succeed. `code` is that of gRPC. */
export class CallError extends StoreError {
  readonly code: number;

  constructor(code: number, message: string) {
    // What a server checks before it does anything. Of all else nobody knows.
    const refused = code === 8 || /no leader/.test(message);
    super(message, { sent: !refused && ![3, 5, 7, 11, 12, 16].includes(code), refused });
    // It goes by users of before, as one whose token has ended.
    this.code = /auth store is old/.test(message) ? 16 : code;
  }
}

/** So often a connection on which nothing comes in is asked whether it lives, in ms; a server takes offence at 5 s. */
const quietMs = 6_000;
/** After so long without a word a server counts as gone by whoever waits for its reply, in ms. */
const silentMs = 1_000;
/** What may come in before it is read, in bytes. */
const windowBytes = 8 * 1024 * 1024;

/** A stream of messages that goes on until it ends: `end` is called once, unless it was left. */
export interface Listener {
  message(message: Message): void;
  end(error: Error): void;
}

/**
 * A connection to one server, over which calls of gRPC go at the same time. It keeps no process alive. What was
 * handed to it goes out at once or never.
 */
export class Connection {
  readonly #session: ClientHttp2Session;
  /** Calls under way. */
  #open = 0;
  #heard = performance.now();
  #timer: NodeJS.Timeout | undefined;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /** Rejects with a StoreError. */
  static async open(url: string, tls: ConnectionOptions | undefined, timeoutMs: number): Promise<Connection> {
    const settings = { enablePush: false, initialWindowSize: windowBytes };
    const session = connect(url, { ...tls, settings, maxSessionMemory: 1_000 });
    const timer = setTimeout(() => session.destroy(new Error("it does not answer")), timeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        session.once("remoteSettings", () => resolve());
        session.once("close", () => reject(new Error("it has closed the connection")));
        session.on("error", reject); // later ones are those of its calls
      });
    } catch (error) {
      throw new StoreError(`${url} cannot be reached: ${(error as Error).message}`, { sent: false, cause: error });
    } finally {
      clearTimeout(timer);
    }
    session.setLocalWindowSize(windowBytes);
    session.unref();
    return new Connection(session);
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Sends now. Rejects with a {@link CallError}, or a StoreError where the connection is lost or it is too late. */
  call(method: Method, message: Message, headers: Record<string, string>, timeoutMs: number): Promise<Message> {
    return new Promise((resolve, reject) => {
      let answer: Message | undefined;
      const asked = performance.now();
      const leave = this.stream(method, message, headers, {
        message: (got) => (answer = got),
        end(error) {
          clearTimeout(timer);
          if (answer && error instanceof CallError && error.code === 0) resolve(answer);
          else reject(error);
        },
      });
      const timer = setTimeout(() => {
        leave();
        // Nothing has come from there since, for long: it may well be that nothing ever will.
        if (this.#heard < asked && timeoutMs >= silentMs) this.close();
        reject(new StoreError("the server did not answer in time", { sent: true }));
      }, timeoutMs);
      timer.unref();
    });
  }

  /** Sends now, and tells of what comes in. The returned function leaves: nothing is told any more. */
  stream(
    { path, asks, gets, stays }: Method,
    message: Message,
    headers: Record<string, string>,
    to: Listener,
  ): () => void {
    if (!this.isOpen) throw new StoreError("the connection is lost", { sent: false });
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/etcdserverpb.${path}`,
      te: "trailers",
      "content-type": "application/grpc",
      ...headers,
    });
    let left = false;
    let pending: Buffer[] = [];
    /** Bytes that are pending, and how many it takes to go on: a long message is put together once. */
    let [size, needed] = [0, 5];
    let status: IncomingHttpHeaders = {};
    let failure: Error | undefined;
    this.#enter();
    stream.on("response", (got) => (status = got));
    stream.on("trailers", (got: IncomingHttpHeaders) => (status = got));
    stream.on("error", (error: Error) => {
      failure ??= error;
    });
    stream.on("data", (chunk: Buffer) => {
      this.#heard = performance.now();
      if (left) return;
      pending.push(chunk);
      size += chunk.length;
      try {
        while (size >= needed) {
          const all = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending, size);
          const end = 5 + all.readUInt32BE(1);
          const isWhole = size >= end;
          const rest = isWhole ? all.subarray(end) : all;
          [pending, size, needed] = [[rest], rest.length, isWhole ? 5 : end];
          if (isWhole) to.message(decode(gets, all.subarray(5, end)));
        }
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.on("close", () => {
      this.#leave();
      if (left) return;
      left = true;
      const code = status["grpc-status"];
      const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
      const why = failure?.message ?? `status ${String(status[":status"])}`;
      if (code !== undefined) to.end(new CallError(Number(code), unescaped(String(status["grpc-message"] ?? ""))));
      else to.end(new StoreError(`the connection was lost: ${why}`, { sent: !refused, cause: failure }));
    });
    const body = encode(asks, message);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.write(Buffer.concat([head, body]));
    if (!stays) stream.end();
    return () => {
      left = true;
      stream.close(constants.NGHTTP2_CANCEL);
    };
  }

  close(): void {
    this.#session.destroy();
  }

  #enter(): void {
    if (this.#open++ > 0) return;
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heard < quietMs) return;
      const asked = performance.now();
      if (!this.isOpen) return;
      this.#session.ping((error) => {
        if (!error) this.#heard = performance.now();
      });
      setTimeout(() => this.#heard < asked && this.close(), quietMs / 2).unref();
    }, quietMs);
    this.#timer.unref();
  }

  #leave(): void {
    if (--this.#open === 0) clearInterval(this.#timer);
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it says something all the same
  }
}
