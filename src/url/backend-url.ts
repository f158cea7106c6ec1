// URLs of stores, cut into parts. What the parts mean is for the backend to say.
//
// - `parseUrl` finds the scheme among those that are known (`schemes`) and makes a `BackendUrl` of hosts and user
//   (`authority`), path and parameters (`params`). `cut` has the steps, and the error that quotes no secret.
// - `shown` is what may be printed of it.

import { InvalidArgumentError } from "../base/errors.ts";
import { Credentials, parseAuthority, type Host } from "./authority.ts";
import { cut, refuseUrl } from "./cut.ts";
import { parseQuery, showName, type Params } from "./params.ts";
import { matchesScheme, namesHosts } from "./schemes.ts";

/**
 * A URL that names where state, caches and locks are, cut into its parts. Its backend says what its path means.
 * Printing, inspecting or serialising one shows no user, no password and no parameter.
 */
export class BackendUrl {
  /** In lower case, without the colon. */
  readonly scheme: string;
  /** The servers, at least one; none where the scheme is of no server. */
  readonly hosts: readonly Host[];
  readonly credentials: Credentials;
  /**
   * What follows the hosts, with its leading slash; all that follows the scheme where it is of no server. Not
   * decoded.
   */
  readonly path: string;
  readonly params: Params;
  readonly #text: string;

  /** @internal */
  constructor(text: string, parts: Pick<BackendUrl, "scheme" | "hosts" | "credentials" | "path" | "params">) {
    this.scheme = parts.scheme;
    this.hosts = parts.hosts;
    this.credentials = parts.credentials;
    this.path = parts.path;
    this.params = parts.params;
    this.#text = text;
  }

  /** The URL as it was written, **with its password**: for a driver that takes a URL, never to be shown. */
  withPassword(): string {
    return this.#text;
  }
}

/**
 * A URL of one of these schemes, which are patterns such as `"toy[s]://"`. Does no I/O.
 *
 * @throws InvalidArgumentError that says what is wrong and quotes no part of the URL, for it may hold a password.
 */
export function parseUrl(url: unknown, schemes: readonly string[]): BackendUrl {
  const { scheme, body, query } = cut(url);
  const known = `the known schemes are ${schemes.join(", ")}`;
  if (scheme === undefined) refuseUrl(`it has no scheme; ${known}`);
  const pattern = schemes.find((one) => matchesScheme(one, scheme)) ?? refuseUrl(`its scheme is unknown; ${known}`);
  const place = namesHosts(pattern)
    ? parseServers(body)
    : { hosts: [], credentials: new Credentials(undefined, undefined), path: body };
  return new BackendUrl(url as string, { scheme, ...place, params: parseQuery(query) });
}

function parseServers(body: string): Pick<BackendUrl, "hosts" | "credentials" | "path"> {
  if (!body.startsWith("//")) refuseUrl("the scheme must be followed by // and a host");
  const [authority = ""] = body.slice(2).split("/", 1);
  const path = body.slice(2 + authority.length);
  // What seems to be a host and a port may be half of a password. Its other half is no path, which may be shown.
  if (path.includes("@")) {
    refuseUrl("an @ follows the first slash; write a slash of the user or password as %2F, an @ of the path as %40");
  }
  return { ...parseAuthority(authority), path };
}

/** Refuses parameters that a URL does not have. Throws InvalidArgumentError, which quotes none. */
export function refuseParams({ scheme, params }: BackendUrl, known: readonly string[] = []): void {
  const at = params.names().findIndex((one) => !known.includes(one));
  if (at < 0) return;
  if (known.length === 0) throw new InvalidArgumentError(`a ${scheme}: URL takes no parameter`);
  const has = `a ${scheme}: URL has the parameters ${known.join(", ")}`;
  throw new InvalidArgumentError(`${has}; query parameter ${at + 1} is none of them`);
}

/** Refuses more than one host, with a hint to what takes several. Throws InvalidArgumentError. */
export function refuseSeveral({ hosts }: BackendUrl, hint = ""): void {
  if (hosts.length > 1) refuseUrl(`this scheme takes one host${hint}`);
}

/** Refuses the path of a socket in place of a host. Throws InvalidArgumentError. */
export function refuseSockets({ hosts }: BackendUrl): void {
  if (hosts.some(({ host }) => host.startsWith("/"))) refuseUrl("this scheme takes no path of a socket as a host");
}

const HIDDEN = "***";

/** A URL to be shown: `***` in place of user, password and the values of the parameters. */
export function shown({ scheme, credentials, hosts, path, params }: BackendUrl): string {
  const { username, password } = credentials;
  const secret = `${username === undefined ? "" : HIDDEN}${password === undefined ? "" : `:${HIDDEN}`}`;
  const servers = hosts.length === 0 ? "" : `//${secret === "" ? "" : `${secret}@`}${hosts.map(showHost).join(",")}`;
  const pairs = params.names().map((name) => `${showName(name)}=${HIDDEN}`);
  return `${scheme}:${servers}${path}${pairs.length === 0 ? "" : "?"}${pairs.join("&")}`;
}

function showHost({ host, port }: Host): string {
  const name = host.includes(":") && !host.startsWith("/") ? `[${host.replace("%", "%25")}]` : encodeURIComponent(host);
  return port === undefined ? name : `${name}:${port}`;
}
