/** What a server has sent that is no answer to what was asked: the connection is of no use any more. */
export class ProtocolError extends Error {
  static {
    Object.defineProperty(ProtocolError.prototype, "name", {
      value: "ProtocolError",
      writable: true,
      configurable: true,
    });
  }
}

/** One reply. */
export interface Reply {
  /** Two letters of the meta protocol, or a word of the older one, such as `"HD"` or `"SERVER_ERROR"`. */
  readonly code: string;
  /** What follows it in its line, without the size of a value. */
  readonly rest: string;
  /** Of `VA`. It shares the memory of what was received with it. */
  readonly value: Buffer | undefined;
}

/** No line of the protocol is longer, in bytes. */
const longestLine = 2_048;
const codes: ReadonlySet<string> = new Set(
  "HD EN NF NS EX MN VERSION STAT END STORED ERROR CLIENT_ERROR SERVER_ERROR".split(" "),
);
const none: Buffer = Buffer.alloc(0);
const [lf, cr, blank, zero, tilde, V, A] = Buffer.from("\n\r 0~VA") as unknown as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

/**
 * Cuts what comes over a connection into replies, however it is split into chunks. What is no reply throws {@link
 * ProtocolError}; nothing is to be pushed after that. It keeps one line and one value at most.
 */
export class ReplyParser {
  /** The largest value that is taken, in bytes. */
  mostValue: number;
  readonly #take: (reply: Reply) => void;
  /** The beginning of a line. */
  #line: Buffer = none;
  /** A value that has come in part, with the line break behind it, and how much of it is there. */
  #value: Buffer | undefined;
  #filled = 0;
  #flags = "";

  constructor(take: (reply: Reply) => void, mostValue: number) {
    this.#take = take;
    this.mostValue = mostValue;
  }

  push(chunk: Buffer): void {
    let at = this.#value ? this.#fill(this.#value, chunk) : 0;
    let input = chunk;
    if (this.#line.length > 0) {
      input = Buffer.concat([this.#line, chunk]);
      this.#line = none;
      at = 0;
    }
    while (at < input.length) at = this.#next(input, at);
  }

  /** Takes the reply that begins at `at`; where the next one begins, or the end where it is not whole. */
  #next(input: Buffer, at: number): number {
    const most = Math.min(input.length, at + longestLine);
    let end = at;
    // Lines are short: this is quicker than a search by the buffer.
    while (end < most && input[end] !== lf) end++;
    if (end === at + longestLine) throw new ProtocolError("a line without an end");
    if (end === input.length) {
      this.#line = Buffer.from(input.subarray(at));
      return end;
    }
    if (input[end - 1] !== cr || end === at) throw new ProtocolError("a line that ends in no CR LF");
    if (input[at] === V && input[at + 1] === A) return this.#begin(input, at + 2, end);
    const line = input.toString("latin1", at, end - 1);
    if (!/^[ -~]*$/.test(line)) throw new ProtocolError("a line that is no text");
    const space = line.indexOf(" ");
    const code = space < 0 ? line : line.slice(0, space);
    if (!codes.has(code)) throw new ProtocolError("a line that is no reply");
    this.#take({ code, rest: space < 0 ? "" : line.slice(space + 1), value: undefined });
    return end + 1;
  }

  /** Reads the line of a value from behind `VA` up to `end`; what {@link #next} gives. */
  #begin(input: Buffer, from: number, end: number): number {
    let size = 0;
    let at = from + 1;
    for (; at < end - 1 && input[at] !== blank; at++) {
      const digit = (input[at] as number) - zero;
      if (digit < 0 || digit > 9) throw new ProtocolError("a value without a size");
      size = 10 * size + digit;
      if (size > this.mostValue) throw new ProtocolError("a value that is larger than the server takes any");
    }
    if (input[from] !== blank || at === from + 1) throw new ProtocolError("a value without a size");
    for (let i = at; i < end - 1; i++) {
      const byte = input[i] as number;
      if (byte < blank || byte > tilde) throw new ProtocolError("a line that is no text");
    }
    this.#flags = input.toString("latin1", at + 1, end - 1);
    const until = end + 1 + size;
    if (until + 2 <= input.length) {
      this.#finish(input, end + 1, until);
      return until + 2;
    }
    this.#value = Buffer.allocUnsafeSlow(size + 2);
    this.#filled = 0;
    this.#fill(this.#value, input.subarray(end + 1));
    return input.length;
  }

  /** Adds to the value that has come in part; how much of the chunk belongs to it. */
  #fill(value: Buffer, chunk: Buffer): number {
    const taken = chunk.copy(value, this.#filled);
    this.#filled += taken;
    if (this.#filled === value.length) {
      this.#value = undefined;
      this.#finish(value, 0, value.length - 2);
    }
    return taken;
  }

  #finish(input: Buffer, from: number, to: number): void {
    if (input[to] !== cr || input[to + 1] !== lf) throw new ProtocolError("a value without its end");
    this.#take({ code: "VA", rest: this.#flags, value: input.subarray(from, to) });
  }
}
