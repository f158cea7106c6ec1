import type { Socket } from "node:net";
import type { Time, Timer } from "../../../base/time.ts";
import { Alarm } from "../../common/alarm.ts";
import { StoreError } from "../../store/index.ts";
import { failureOf, flagsOf, Pending, type Asking } from "./asked.ts";
import { Outbox } from "./outbox.ts";
import { ProtocolError, ReplyParser, type Reply } from "./parser.ts";

/** How many requests of a connection may wait for their replies, and how many bytes may wait to be sent. */
const mostPending = 16_384;
const mostBytes = 64 * 1024 * 1024;
/** The largest value that a server may send before it has told how large they are. */
const mostAtFirst = 64 * 1024;

/** What is known of a server since it was connected. */
export interface ServerFacts {
  readonly version: string;
  /** The largest item, in bytes, with its key and what the server keeps beside it. */
  readonly maxItem: number;
  /** By how much its clock was ahead of `time.monotonic()`, in s. */
  readonly clock: number;
}

let links = 0;

/**
 * One open connection. What is asked in one turn of the loop is one write; replies come in the order of the requests,
 * and each bears the number of its own. A request that is not answered by its deadline fails; a connection over which
 * nothing came for `silence` ms, though something is awaited, is ended, and so is one over which something came that is
 * no answer.
 */
export class Link {
  /** Unlike that of any other connection of the process. */
  readonly id = ++links;
  /** What a cas of this connection begins with. */
  readonly prefix = `${this.id}.`;
  facts: ServerFacts = { version: "", maxItem: mostAtFirst, clock: 0 };
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #time: Time;
  readonly #silence: number;
  readonly #onLost: (why: Error) => void;
  readonly #parser = new ReplyParser((reply) => this.#take(reply), mostAtFirst);
  readonly #alarm: Alarm<Pending>;
  #pending: Pending[] = [];
  #head = 0;
  #number = 0;
  /** Since when the next reply is awaited, or something of it came last. */
  #since = 0;
  #timer: Timer | undefined;
  #ended = false;
  #retiring = false;

  /** `onLost` is called once, unless it is closed. */
  constructor(socket: Socket, time: Time, silence: number, onLost: (why: Error) => void) {
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#time = time;
    this.#silence = silence;
    this.#onLost = onLost;
    this.#alarm = new Alarm(time, (pending) => {
      this.#alarm.delete(pending);
      // Its place in the line stays: its reply may come yet, and is nobody's.
      pending.reject(new StoreError("the server did not reply in time", { sent: true }));
    });
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.#lose(error));
    socket.on("close", () => this.#lose(new Error("the connection was closed")));
    socket.unref();
  }

  /** Sends at the end of this turn. Rejects with StoreError. */
  ask<T>({ line, data, read, deadline, numbered }: Asking<T>): Promise<T> {
    const refused = this.#refusal();
    if (refused) return Promise.reject(refused);
    const opaque = numbered ? `O${(this.#number = (this.#number + 1) & 0xf_ffff)}` : "";
    this.#outbox.add(numbered ? `${line} ${opaque}` : line, data);
    if (this.#head === this.#pending.length) this.#begin();
    return new Promise<T>((resolve, reject) => {
      const pending = new Pending({ deadline, opaque, read }, resolve, reject);
      this.#pending.push(pending);
      this.#alarm.add(pending);
    });
  }

  /** The server's clock, in s since 1970. */
  get serverTime(): number {
    return this.facts.clock + this.#time.monotonic() / 1_000;
  }

  /** Takes larger values from now on. */
  learn(facts: ServerFacts): void {
    this.facts = facts;
    this.#parser.mostValue = facts.maxItem;
  }

  close(why: unknown = new Error("the client was closed")): void {
    this.#end(why);
  }

  retire(ms: number): void {
    this.#retiring = true;
    if (this.#head === this.#pending.length) this.#end(new Error("the connection was replaced"));
    else this.#time.after(ms, () => this.#end(new Error("the connection was replaced")));
  }

  #refusal(): StoreError | undefined {
    if (this.#ended || this.#retiring) return new StoreError("the connection was closed", { sent: false });
    if (this.#pending.length - this.#head >= mostPending) {
      return new StoreError(`${mostPending} requests to the server wait for their replies`, { sent: false });
    }
    if (this.#outbox.waiting > mostBytes) {
      return new StoreError(`${mostBytes} bytes wait to be sent to the server`, { sent: false });
    }
    return undefined;
  }

  #read(chunk: Buffer): void {
    this.#since = this.#time.monotonic();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#lose(error as Error);
    }
    if (this.#head < this.#pending.length) return;
    this.#socket.unref();
    if (this.#retiring) this.#end(new Error("the connection was replaced"));
  }

  /** Throws ProtocolError for what is no answer. */
  #take(reply: Reply): void {
    if (this.#ended) return;
    const pending = this.#pending[this.#head];
    if (!pending) throw new ProtocolError("a reply that nobody asked for");
    const failure = failureOf(reply);
    const result = failure ?? pending.read(reply, flagsOf(reply, pending.opaque));
    if (result === undefined && reply.code === "STAT") return;
    this.#shift();
    this.#alarm.delete(pending);
    if (failure) pending.reject(failure);
    else pending.resolve(result as never);
    // What follows a line that the server did not understand may be taken for requests.
    if (reply.code === "ERROR" || (reply.code === "CLIENT_ERROR" && !reply.rest.includes("numeric"))) {
      throw new ProtocolError("the server did not understand a request");
    }
  }

  #shift(): void {
    this.#pending[this.#head++] = undefined as never;
    if (this.#head === this.#pending.length) {
      this.#pending = [];
      this.#head = 0;
    } else if (this.#head >= 1_024) {
      this.#pending.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Something is awaited from now on. */
  #begin(): void {
    this.#socket.ref();
    this.#since = this.#time.monotonic();
    this.#timer ??= this.#time.after(this.#silence, () => this.#listen());
  }

  #listen(): void {
    this.#timer = undefined;
    if (this.#ended || this.#head === this.#pending.length) return;
    const left = this.#since + this.#silence - this.#time.monotonic();
    if (left > 0) this.#timer = this.#time.after(left, () => this.#listen());
    else {
      // This process may have stood still: what has come meanwhile is read first.
      const since = this.#since;
      setImmediate(() =>
        setImmediate(() => {
          if (this.#since !== since) this.#listen();
          else this.#lose(new Error(`the server sent nothing for ${this.#silence} ms`));
        }),
      );
    }
  }

  #lose(why: Error): void {
    if (this.#ended) return;
    this.#end(why);
    this.#onLost(why);
  }

  #end(why: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.clear();
    this.#socket.destroy();
    const pending = this.#pending.slice(this.#head);
    this.#pending = [];
    this.#head = 0;
    const message = `the connection was lost: ${why instanceof Error ? why.message : String(why)}`;
    for (const one of pending) {
      this.#alarm.delete(one);
      one.reject(new StoreError(message, { sent: true, cause: why }));
    }
  }
}
