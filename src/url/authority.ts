import { isIPv6 } from "node:net";
import { decodePart, refuseUrl } from "./cut.ts";

/** One server of a URL. */
export interface Host {
  /** A name in lower case, an IPv4 address, an IPv6 address without brackets, or the path of a Unix socket. */
  readonly host: string;
  /** Undefined stands for the server's usual port. */
  readonly port: number | undefined;
}

/** User and password of a URL. Printing, inspecting or serialising one shows neither. */
export class Credentials {
  readonly #username: string | undefined;
  readonly #password: string | undefined;

  constructor(username: string | undefined, password: string | undefined) {
    this.#username = username;
    this.#password = password;
  }

  /** The user, decoded; undefined if the URL names none. */
  get username(): string | undefined {
    return this.#username;
  }

  /** The password, decoded; undefined if the URL has none. */
  get password(): string | undefined {
    return this.#password;
  }
}

/** What stands between `//` and the path of a URL. */
export interface Authority {
  readonly credentials: Credentials;
  /** At least one. */
  readonly hosts: readonly Host[];
}

/** `user:password@a:1,[::1]:2` */
export function parseAuthority(text: string): Authority {
  const at = text.lastIndexOf("@");
  return {
    credentials: parseCredentials(text.slice(0, Math.max(at, 0))),
    hosts: text
      .slice(at + 1)
      .split(",")
      .map(parseHost),
  };
}

function parseCredentials(text: string): Credentials {
  if (text.includes("@"))
    refuseUrl("there are two @ before the host; write one that belongs to the user or password as %40");
  const colon = text.indexOf(":");
  const username = decodePart(colon < 0 ? text : text.slice(0, colon), "the user");
  const password = decodePart(colon < 0 ? "" : text.slice(colon + 1), "the password");
  return new Credentials(username || undefined, password || undefined);
}

function parseHost(text: string, index: number): Host {
  const what = `host ${index + 1}`;
  const [, address, name = "", port] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text) ??
    refuseUrl(`${what} is not a host or host:port; an IPv6 address is written in brackets`);
  if (address !== undefined) {
    const host = decodePart(address, what);
    if (!isIPv6(host)) refuseUrl(`${what} has brackets around what is no IPv6 address`);
    const [digits = "", ...zone] = host.split("%"); // the zone names a network interface, whose case counts
    return { host: [digits.toLowerCase(), ...zone].join("%"), port: parsePort(port, what) };
  }
  const host = decodePart(name, what);
  if (host === "") refuseUrl(`${what} is empty`);
  if (host.startsWith("/")) {
    return port === undefined ? { host, port } : refuseUrl(`${what} is the path of a socket and has a port`);
  }
  if (host.length > 253 || !/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i.test(host)) {
    refuseUrl(`${what} is no host name; an international one is written in its ASCII form (xn--)`);
  }
  return { host: host.toLowerCase(), port: parsePort(port, what) };
}

function parsePort(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535
    ? port
    : refuseUrl(`${what} has a port that is not a whole number from 1 to 65535`);
}
