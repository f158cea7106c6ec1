import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A reply as text. Errors reject the call. */
export type WireReply = string | number | null | readonly WireReply[];

/** Where a server listens, and how to get in. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly password?: string | undefined;
  readonly user?: string | undefined;
  /** The certificate that its own is signed by, as PEM. */
  readonly ca?: string | undefined;
}

/** Sends one command on a connection of its own: for setting up servers, apart from the driver that is tested. */
export async function sendOnce(endpoint: Endpoint, args: readonly string[], timeout = 5_000): Promise<WireReply> {
  const [reply] = await sendAll(endpoint, [args], timeout);
  return reply as WireReply;
}

/** Sends commands on one connection, all at once. Rejects with the first error reply. */
export async function sendAll(
  endpoint: Endpoint,
  commands: readonly (readonly string[])[],
  timeout = 5_000,
): Promise<WireReply[]> {
  const { host, port, ca, password, user = "default" } = endpoint;
  const login = password === undefined ? [] : [["AUTH", user, password]];
  const all = [...login, ...commands];
  const what = `${commands[0]?.[0]} at ${port}`;
  const socket: Socket = ca === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ca });
  try {
    return await new Promise<WireReply[]>((resolve, reject) => {
      const replies: WireReply[] = [];
      let received = "";
      socket.setTimeout(timeout, () => reject(new Error(`${what}: no reply within ${timeout} ms`)));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error(`${what}: the connection was closed`)));
      socket.setEncoding("latin1"); // one byte a character: lengths count bytes
      socket.on("data", (chunk: string) => {
        received += chunk;
        for (let parsed = parse(received, 0); parsed; parsed = parse(received, 0)) {
          received = received.slice(parsed.next);
          if (parsed.reply instanceof Error) return reject(parsed.reply);
          if (replies.push(parsed.reply) === all.length) return resolve(replies.slice(login.length));
        }
      });
      socket.write(all.map(encode).join(""));
    });
  } finally {
    socket.destroy();
  }
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}

interface Parsed {
  readonly reply: WireReply | Error;
  readonly next: number;
}

/** The reply at `at`; undefined while it has not come whole. */
function parse(text: string, at: number): Parsed | undefined {
  if (at >= text.length) return undefined;
  const end = text.indexOf("\r\n", at);
  if (end < 0) return undefined;
  const line = text.slice(at + 1, end);
  const next = end + 2;
  switch (text[at]) {
    case "+":
      return { reply: line, next };
    case "-":
      return { reply: new Error(line), next };
    case ":":
      return { reply: Number(line), next };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, next };
      if (text.length < next + length + 2) return undefined;
      const bulk = Buffer.from(text.slice(next, next + length), "latin1").toString();
      return { reply: bulk, next: next + length + 2 };
    }
    case "*":
      return parseArray(text, Number(line), next);
    default:
      throw new Error(`not a reply: ${line}`);
  }
}

function parseArray(text: string, length: number, from: number): Parsed | undefined {
  if (length < 0) return { reply: null, next: from };
  const items: WireReply[] = [];
  let next = from;
  for (let i = 0; i < length; i++) {
    const item = parse(text, next);
    if (!item) return undefined;
    if (item.reply instanceof Error) return item;
    items.push(item.reply);
    next = item.next;
  }
  return { reply: items, next };
}
