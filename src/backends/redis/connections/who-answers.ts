import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { deferred } from "../../../base/async.ts";
import { InvalidArgumentError, isHoldfastError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import { BACKEND, isReply, isUntrusted } from "./failures.ts";
import { showEndpoint, type Endpoint } from "./wire.ts";

/** So long a server may take to answer before it is found out who that is. */
const PATIENCE_MS = 500;
/** So long each look may take. */
const LOOK_MS = 1_500;
/** Most that is shown of what a stranger says. */
const MOST_SHOWN = 40;
/** How what a TLS server says to plain text begins. */
const ALERT = 21;
/** Redis takes it for a PING with too many arguments, a web server for a request. */
const LINE = "PING / HTTP/1.0\r\n\r\n";

export interface Looking {
  readonly time: Time;
  /** Whether TLS is spoken to the server. Undefined: it is not known where it is, so nothing is found out. */
  readonly secure?: boolean | undefined;
}

/**
 * `work`, which connects to a server and asks it something, or InvalidArgumentError that says what is there instead.
 * That is found out where `work` fails for no reason that the system or a server has given, and where it takes long;
 * `silent` is told of a server that says nothing to anybody, for it may yet.
 */
export async function understood<T>(
  looking: Looking,
  endpoint: Endpoint,
  work: Promise<T>,
  silent: (what: string) => void,
): Promise<T> {
  if (looking.secure === undefined) return work;
  const { promise: refused, reject } = deferred<never>();
  let over = false;
  const look = async (): Promise<void> => {
    const found = await foundAt(looking, endpoint);
    if (over || !found) return;
    if (found.mayAnswer) silent(found.what);
    else reject(refusal(endpoint, found.what));
  };
  const timer = looking.time.after(PATIENCE_MS, () => void look());
  try {
    return await Promise.race([work, refused]);
  } catch (error) {
    over = true;
    if (isExplained(error)) throw error;
    const found = await foundAt(looking, endpoint);
    throw found && !found.mayAnswer ? refusal(endpoint, found.what) : error;
  } finally {
    over = true;
    timer.clear();
  }
}

/** Who is there, where that is nobody who can be spoken with. */
interface Stranger {
  readonly what: string;
  readonly mayAnswer: boolean;
}

async function foundAt({ time, secure }: Looking, endpoint: Endpoint): Promise<Stranger | undefined> {
  const heard = await hear(connectPlain(endpoint), "connect", time, LINE);
  const { said } = heard;
  if (/^(?:\+PONG|-[A-Z]+ )/.test(said)) {
    return secure === true ? stranger("it speaks no TLS: its URL begins with redis, not rediss") : undefined;
  }
  if (/^(?:HTTP\/|<)/.test(said)) return stranger("it speaks HTTP, not the protocol of Redis");
  const isAlert = said.charCodeAt(0) === ALERT && said.charCodeAt(1) === 3;
  if (said !== "" && !isAlert) {
    return stranger(`it speaks another protocol than Redis: it says ${JSON.stringify(printable(said))}`);
  }
  if (!heard.connected) return { what: "no connection comes about, and none is refused", mayAnswer: true };
  if (!isAlert && !heard.ended) return { what: "it takes connections and answers nothing", mayAnswer: true };
  if (secure === true || "path" in endpoint) return undefined;
  // No certificate is trusted here: nothing is sent, and it is only looked whether there is one.
  const shaken = await hear(connectTls({ ...endpoint, rejectUnauthorized: false }), "secureConnect", time);
  return shaken.connected ? stranger("it speaks TLS: its URL begins with rediss, not redis") : undefined;
}

function stranger(what: string): Stranger {
  return { what, mayAnswer: false };
}

interface Heard {
  readonly connected: boolean;
  readonly said: string;
  /** By the other side. */
  readonly ended: boolean;
}

/** What is said first on a connection, with a `line` after that was sent. */
async function hear(socket: Socket, connecting: string, time: Time, line?: string): Promise<Heard> {
  let connected = false;
  const { promise, resolve } = deferred<Heard>();
  const end = (said: string, ended: boolean): void => resolve({ connected, said, ended });
  const timer = time.after(LOOK_MS, () => end("", false));
  socket.on("error", () => end("", true));
  socket.on("close", () => end("", true));
  socket.on("data", (bytes: Buffer) => end(bytes.toString("latin1"), true));
  socket.on(connecting, () => {
    connected = true;
    if (line === undefined) end("", false);
    else socket.write(line);
  });
  socket.unref();
  try {
    return await promise;
  } finally {
    timer.clear();
    socket.destroy();
  }
}

function printable(said: string): string {
  return (said.split(/[\r\n]/, 1)[0] ?? "").replaceAll(/[^ -~]/g, "?").slice(0, MOST_SHOWN);
}

function refusal(endpoint: Endpoint, what: string): InvalidArgumentError {
  return new InvalidArgumentError(`${showEndpoint(endpoint)} cannot be used: ${what}`, { backend: BACKEND });
}

/** Whether an error tells by itself why there is no connection. */
function isExplained(error: unknown): boolean {
  if (isHoldfastError(error) || isReply(error) || isUntrusted(error)) return true;
  const { syscall } = (error ?? {}) as { readonly syscall?: unknown };
  return syscall === "connect" || syscall === "getaddrinfo";
}

/** What is said at the end of an attempt; `silence` is what {@link understood} told of it. */
export function noAnswer(ms: number, silence: string): Error {
  return new Error(`${silence === "" ? "" : `${silence}: `}no answer within ${ms} ms`);
}
