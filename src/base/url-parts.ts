import { isIPv6 } from "node:net";

import { InvalidArgumentError } from "./errors.ts";
import type { Host } from "./url-target.ts";
import { Credentials, Params } from "./url-target.ts";

/** Every message says where the fault is, none quotes the URL: any part of a malformed one may be a password. */
export function refuseUrl(why: string): never {
  throw new InvalidArgumentError(`the URL is not valid: ${why}`);
}

/** A URL cut at its marks, nothing decoded. */
export interface Parts {
  /** In lower case; undefined if there is none. */
  readonly scheme: string | undefined;
  /** What follows `//` up to the next slash; undefined without `//`. */
  readonly authority: string | undefined;
  /** What follows, with its leading slash if there is one. */
  readonly path: string;
  readonly query: string;
}

/** Cuts a URL at its marks; refuses what can be in none. */
export function split(url: string): Parts {
  // oxlint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f-\u009f]/u.test(url))
    refuseUrl("it holds white space or a control character; percent-encode it");
  if (/\p{Surrogate}/u.test(url)) refuseUrl("it holds a lone surrogate");
  if (url.includes("#")) refuseUrl("it has a fragment; write a # that belongs to a name or password as %23");
  const colon = url.indexOf(":");
  const named = /^[a-z][a-z0-9+.-]*:/i.test(url);
  const rest = named ? url.slice(colon + 1) : url;
  const mark = rest.indexOf("?");
  const body = mark < 0 ? rest : rest.slice(0, mark);
  const authority = body.startsWith("//") ? (body.slice(2).split("/", 1)[0] ?? "") : undefined;
  return {
    scheme: named ? url.slice(0, colon).toLowerCase() : undefined,
    authority,
    path: authority === undefined ? body : body.slice(2 + authority.length),
    query: mark < 0 ? "" : rest.slice(mark + 1),
  };
}

/** Percent-decodes one part. */
export function decode(text: string, what: string): string {
  let decoded;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    return refuseUrl(`${what} holds a % that does not start a valid escape; write a plain % as %25`);
  }
  return decoded.includes("\0") ? refuseUrl(`${what} holds a NUL character`) : decoded;
}

/** `a=1&b=2`. A plus sign is a plus sign. */
export function parseQuery(query: string): Params {
  const values = new Map<string, string>();
  if (query === "") return new Params(values);
  for (const [i, pair] of query.split("&").entries()) {
    const what = `query parameter ${i + 1}`;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), what);
    if (name === "") refuseUrl(`${what} has no name`);
    if (values.has(name)) refuseUrl(`${what} repeats an earlier one`);
    values.set(name, equals < 0 ? "" : decode(pair.slice(equals + 1), what));
  }
  return new Params(values);
}

/** `user:password@a:1,[::1]:2` */
export function parseAuthority(authority: string): { credentials: Credentials; hosts: readonly Host[] } {
  const at = authority.lastIndexOf("@");
  return {
    credentials: parseCredentials(authority.slice(0, Math.max(at, 0))),
    hosts: authority
      .slice(at + 1)
      .split(",")
      .map(parseHost),
  };
}

function parseCredentials(text: string): Credentials {
  if (text.includes("@"))
    refuseUrl("there are two @ before the host; write one that belongs to the user or password as %40");
  const colon = text.indexOf(":");
  const username = decode(colon < 0 ? text : text.slice(0, colon), "the user");
  const password = decode(colon < 0 ? "" : text.slice(colon + 1), "the password");
  return new Credentials(username || undefined, password || undefined);
}

function parseHost(text: string, index: number): Host {
  const what = `host ${index + 1}`;
  const [, address, name = "", port] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text) ??
    refuseUrl(`${what} is not a host or host:port; an IPv6 address is written in brackets`);
  if (address !== undefined) {
    const host = decode(address, what);
    if (!isIPv6(host)) refuseUrl(`${what} has brackets around what is no IPv6 address`);
    const [digits = "", ...zone] = host.split("%"); // the zone names a network interface, whose case counts
    return { host: [digits.toLowerCase(), ...zone].join("%"), port: parsePort(port, what) };
  }
  const host = decode(name, what);
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
