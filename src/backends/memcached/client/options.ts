import { addressText } from "../../../base/addresses.ts";
import { toMs, type Duration } from "../../../base/durations.ts";
import { InvalidArgumentError } from "../../../base/errors.ts";
import { usualPort, type Placed } from "./ring.ts";

/** How a TLS connection is made; as the options of `tls.connect` in Node.js. */
export interface MemcachedTlsOptions {
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string | Buffer | (string | Buffer)[] | undefined;
  /** The client's own certificate, in PEM. */
  readonly cert?: string | Buffer | undefined;
  /** The key of `cert`, in PEM. */
  readonly key?: string | Buffer | undefined;
  /** The name that the server's certificate must bear. Default: the host's. */
  readonly servername?: string | undefined;
  /** `false` trusts any certificate, so anybody in between: for tests. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** A server of several. */
export interface MemcachedServer {
  /** A name, an address, or the path of a Unix socket. */
  readonly host: string;
  /** Default 11211. */
  readonly port?: number | undefined;
  /** Its share of the keys, against the others': a number above 0. Default 1. */
  readonly weight?: number | undefined;
}

/** What {@link MetaClient} takes. */
export interface MetaClientOptions {
  /** At least one. All clients must name them alike, or they look for a key in different places. */
  readonly servers: readonly MemcachedServer[];
  /** Of servers that were started with `-Y`. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** TLS; `true` for the usual settings. Default: none. */
  readonly tls?: boolean | MemcachedTlsOptions | undefined;
  /** How long an attempt to connect may take. Default `"2s"`. */
  readonly connectTimeout?: Duration | undefined;
  /** A connection over which nothing comes for so long, though a reply is awaited, is ended. Default `"1s"`. */
  readonly replyTimeout?: Duration | undefined;
  /** How many calls may wait for a connection to each server. Default 10,000. */
  readonly maxWaiting?: number | undefined;
}

/** A server, checked. */
export interface Server extends Placed {
  readonly weight: number;
  /** For messages: `host:port`, or a path. */
  readonly name: string;
}

/** What is the same for all servers. */
export interface Settings {
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  readonly tls: MemcachedTlsOptions | undefined;
  /** In ms. */
  readonly connectTimeout: number;
  /** In ms. */
  readonly silence: number;
  readonly maxWaiting: number;
}

const mostServers = 1_024;

/** Checks options. Throws InvalidArgumentError. */
export function resolve(options: MetaClientOptions): {
  readonly servers: readonly Server[];
  readonly settings: Settings;
} {
  const {
    servers,
    username,
    password,
    tls,
    connectTimeout = 2_000,
    replyTimeout = 1_000,
    maxWaiting = 10_000,
  } = options;
  if (!Array.isArray(servers) || servers.length === 0) refuse("servers must name one server at least");
  if (servers.length > mostServers) refuse(`servers must be ${mostServers} at most`);
  if ((username === undefined) !== (password === undefined)) refuse("username and password go together");
  const credentials = username === undefined || password === undefined ? undefined : { username, password };
  if (credentials && /\s/.test(credentials.username)) refuse("username must hold no white space");
  if (!Number.isInteger(maxWaiting) || maxWaiting < 1) refuse("maxWaiting must be a whole number above 0");
  const all = servers.map(checkServer);
  if (new Set(all.map(({ name }) => name)).size < all.length) refuse("servers must name each server once");
  return {
    servers: all,
    settings: {
      credentials,
      tls: tls === true ? {} : tls === false ? undefined : tls,
      connectTimeout: toMs(connectTimeout, "connectTimeout"),
      silence: toMs(replyTimeout, "replyTimeout"),
      maxWaiting,
    },
  };
}

function checkServer({ host, port, weight = 1 }: MemcachedServer): Server {
  if (typeof host !== "string" || host === "") refuse("host must be a name, an address or the path of a socket");
  const isPath = host.startsWith("/");
  if (isPath && port !== undefined) refuse("a socket has no port");
  const at = isPath ? 0 : (port ?? usualPort);
  if (!Number.isInteger(at) || at < (isPath ? 0 : 1) || at > 65_535) refuse("port must be from 1 to 65535");
  if (!Number.isFinite(weight) || weight <= 0) refuse("weight must be a number above 0");
  return { host, port: at, weight, name: addressText(host, at) };
}

function refuse(message: string): never {
  throw new InvalidArgumentError(message, { backend: "memcached" });
}
