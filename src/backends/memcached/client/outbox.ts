import type { Socket } from "node:net";

/** Requests with more bytes than this are sent as they are, not copied into one piece. */
const mostCopied = 64 * 1024;

/** What is to be sent over a connection: all of a turn of the loop in one write. */
export class Outbox {
  readonly #socket: Socket;
  /** Pieces, and the text behind them. */
  #out: (string | Uint8Array)[] = [];
  #bytes = 0;
  #text = "";
  #scheduled = false;
  /** What was sent may not all have left this process. */
  #isFull = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that have not left this process. */
  get waiting(): number {
    return this.#bytes + this.#text.length + (this.#isFull ? this.#socket.writableLength : 0);
  }

  /** Sends a line, without its break, and what follows it, at the end of the turn. */
  add(line: string, data: Uint8Array | undefined): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(() => this.#flush());
    }
    this.#text += line;
    this.#text += "\r\n";
    if (!data) return;
    this.#out.push(this.#text, data);
    this.#bytes += this.#text.length + data.length;
    this.#text = "\r\n";
  }

  #flush(): void {
    const out = this.#out;
    const text = this.#text;
    const bytes = this.#bytes + text.length;
    this.#text = "";
    this.#scheduled = false;
    if (this.#socket.destroyed) return;
    if (out.length === 0) {
      this.#isFull = !this.#socket.write(text, "latin1");
      return;
    }
    this.#out = [];
    this.#bytes = 0;
    out.push(text);
    if (bytes <= mostCopied) this.#isFull = !this.#socket.write(inOnePiece(out, bytes));
    else {
      this.#socket.cork();
      for (const part of out) {
        if (typeof part === "string") this.#socket.write(part, "latin1");
        else this.#socket.write(part);
      }
      this.#socket.uncork();
      this.#isFull = true;
    }
  }
}

function inOnePiece(parts: readonly (string | Uint8Array)[], bytes: number): Buffer {
  const all = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") at += all.write(part, at, "latin1");
    else {
      all.set(part, at);
      at += part.length;
    }
  }
  return all;
}
