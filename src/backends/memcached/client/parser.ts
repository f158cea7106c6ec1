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
    const end = input.indexOf(10, at);
    if ((end < 0 ? input.length : end) - at > longestLine) throw new ProtocolError("a line without an end");
    if (end < 0) {
      this.#line = Buffer.from(input.subarray(at));
      return input.length;
    }
    if (input[end - 1] !== 13 || end === at) throw new ProtocolError("a line that ends in no CR LF");
    const line = input.toString("latin1", at, end - 1);
    if (!/^[ -~]*$/.test(line)) throw new ProtocolError("a line that is no text");
    const space = line.indexOf(" ");
    const code = space < 0 ? line : line.slice(0, space);
    const rest = space < 0 ? "" : line.slice(space + 1);
    if (code === "VA") return this.#begin(rest, input, end + 1);
    if (!codes.has(code)) throw new ProtocolError("a line that is no reply");
    this.#take({ code, rest, value: undefined });
    return end + 1;
  }

  /** The line of a value was read, which begins at `at`; what {@link #next} gives. */
  #begin(rest: string, input: Buffer, at: number): number {
    const space = rest.indexOf(" ");
    const digits = space < 0 ? rest : rest.slice(0, space);
    if (!/^\d{1,10}$/.test(digits)) throw new ProtocolError("a value without a size");
    const size = Number(digits);
    if (size > this.mostValue) throw new ProtocolError("a value that is larger than the server takes any");
    this.#flags = space < 0 ? "" : rest.slice(space + 1);
    const end = at + size + 2;
    if (end <= input.length) {
      this.#finish(input.subarray(at, end));
      return end;
    }
    this.#value = Buffer.allocUnsafeSlow(size + 2);
    this.#filled = 0;
    this.#fill(this.#value, input.subarray(at));
    return input.length;
  }

  /** Adds to the value that has come in part; how much of the chunk belongs to it. */
  #fill(value: Buffer, chunk: Buffer): number {
    const taken = chunk.copy(value, this.#filled);
    this.#filled += taken;
    if (this.#filled === value.length) {
      this.#value = undefined;
      this.#finish(value);
    }
    return taken;
  }

  #finish(withBreak: Buffer): void {
    const size = withBreak.length - 2;
    if (withBreak[size] !== 13 || withBreak[size + 1] !== 10) throw new ProtocolError("a value without its end");
    this.#take({ code: "VA", rest: this.#flags, value: withBreak.subarray(0, size) });
  }
}
