import { resolve } from "node:path";

import { InvalidArgumentError } from "./errors.ts";
import type {
  Host,
  MongoDbTarget,
  MySqlTarget,
  PostgresTarget,
  RedisTarget,
  ServerTarget,
  Target,
} from "./url-target.ts";
import type { Parts } from "./url-parts.ts";
import { decode, parseAuthority, parseQuery, refuseUrl, split } from "./url-parts.ts";

/** The schemes as messages and documents show them. */
export const KNOWN_SCHEMES: readonly string[] = [
  "file:",
  "memory:",
  "null:",
  "redis[s]://",
  "redis[s]+cluster://",
  "redis[s]+sentinel://",
  "valkey[s]:// (as redis)",
  "memcached://",
  "mongodb[+srv]://",
  "postgres[ql]://",
  "mysql://",
  "mariadb://",
];

const REDIS = /^(?:redis|valkey)(s)?(?:\+(cluster|sentinel))?$/;

/**
 * What a URL means. Does no I/O; a relative `file:` path is resolved against the working directory.
 *
 * @throws InvalidArgumentError that says what is wrong and quotes no part of the URL, for it may hold a password.
 */
export function parseUrl(url: unknown): Target {
  if (typeof url !== "string")
    throw new InvalidArgumentError(`the URL must be a string, got ${url === null ? "null" : typeof url}`);
  if (url === "") refuseUrl("it is empty");
  const parts = split(url);
  switch (parts.scheme) {
    case undefined:
      return refuseUrl(`it has no scheme; a directory is written file:./dir, and ${knownSchemes()}`);
    case "file":
      return { kind: "file", scheme: "file", path: parsePath(parts), params: parseQuery(parts.query) };
    case "memory":
      if (parts.authority !== undefined) refuseUrl("memory: takes no //; write memory: or memory:name");
      return {
        kind: "memory",
        scheme: "memory",
        name: decode(parts.path, "the name") || undefined,
        params: parseQuery(parts.query),
      };
    case "null":
      if (parts.authority !== undefined || parts.path !== "") refuseUrl("nothing may follow null:");
      return { kind: "null", scheme: "null", params: parseQuery(parts.query) };
    default:
      return parseServer(parts.scheme, parts);
  }
}

function knownSchemes(): string {
  return `the known schemes are ${KNOWN_SCHEMES.join(", ")}`;
}

function parsePath({ authority, path }: Parts): string {
  if (authority !== undefined && authority !== "" && authority.toLowerCase() !== "localhost") {
    refuseUrl("a file: URL names no host; write file:./dir, file:/dir or file:///dir");
  }
  const decoded = decode(path, "the path");
  if (decoded === "") refuseUrl("a file: URL needs a directory, such as file:./dir");
  const onDrive = process.platform === "win32" && /^\/[a-z]:/i.test(decoded);
  return resolve(onDrive ? decoded.slice(1) : decoded);
}

function parseServer(scheme: string, parts: Parts): ServerTarget {
  const redis = REDIS.exec(scheme);
  switch (scheme) {
    case "memcached": {
      const common = parseCommon(scheme, parts);
      if (parts.path.length > 1) refuseUrl("a memcached URL has no path");
      return { kind: "memcached", ...common };
    }
    case "mongodb":
    case "mongodb+srv":
      return parseMongoDb(scheme, parts);
    case "postgres":
    case "postgresql":
      return parsePostgres(scheme, parts);
    case "mysql":
    case "mariadb":
      return parseMySql(scheme, parts);
    default:
      return redis === null
        ? refuseUrl(`its scheme is unknown; ${knownSchemes()}`)
        : parseRedis(scheme, parts, redis[1] !== undefined, redis[2] as "cluster" | "sentinel" | undefined);
  }
}

function parseCommon(scheme: string, parts: Parts): Pick<ServerTarget, "scheme" | "hosts" | "credentials" | "params"> {
  if (parts.authority === undefined) refuseUrl("the scheme must be followed by // and a host");
  return { scheme, ...parseAuthority(parts.authority), params: parseQuery(parts.query) };
}

function parseRedis(scheme: string, parts: Parts, tls: boolean, mode: RedisTarget["mode"] = "single"): RedisTarget {
  const common = parseCommon(scheme, parts);
  const target = { kind: "redis", mode, tls, ...common } as const;
  const steps = parts.path.replace(/^\//, "").split("/");
  if (mode === "single") {
    refuseSeveral(common.hosts, "; a cluster is written redis+cluster://, sentinels redis+sentinel://");
    if (steps.length > 1) refuseUrl("the path of a redis URL is the number of a database");
    return { ...target, master: undefined, database: parseDatabaseNumber(steps[0]) };
  }
  refuseSockets(common.hosts);
  if (mode === "cluster") {
    if (steps.length > 1 || (parseDatabaseNumber(steps[0]) ?? 0) !== 0) refuseUrl("a cluster has no database but 0");
    return { ...target, master: undefined, database: undefined };
  }
  const [master = "", database, ...more] = steps;
  if (master === "" || more.length > 0)
    refuseUrl("the path of a sentinel URL is the master's name, and may go on with a database");
  return { ...target, master: decode(master, "the master's name"), database: parseDatabaseNumber(database) };
}

function parseDatabaseNumber(text = ""): number | undefined {
  if (text === "") return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : refuseUrl("the database must be a whole number");
}

function parseMongoDb(scheme: string, parts: Parts): MongoDbTarget {
  const common = parseCommon(scheme, parts);
  const srv = scheme === "mongodb+srv";
  if (srv) {
    refuseSeveral(common.hosts, "");
    refuseSockets(common.hosts);
    if (common.hosts[0]?.port !== undefined) refuseUrl("mongodb+srv takes no port: the SRV record tells it");
  }
  return { kind: "mongodb", srv, ...common, database: parseDatabaseName(parts) };
}

function parsePostgres(scheme: string, parts: Parts): PostgresTarget {
  return { kind: "postgres", ...parseCommon(scheme, parts), database: parseDatabaseName(parts) };
}

function parseMySql(scheme: string, parts: Parts): MySqlTarget {
  const common = parseCommon(scheme, parts);
  refuseSeveral(common.hosts, "");
  return { kind: "mysql", ...common, database: parseDatabaseName(parts) };
}

function parseDatabaseName({ path }: Parts): string | undefined {
  const name = path.slice(1);
  if (name.includes("/")) refuseUrl("the path is one database name; write a slash within it as %2F");
  return decode(name, "the database") || undefined;
}

function refuseSeveral(hosts: readonly Host[], hint: string): void {
  if (hosts.length > 1) refuseUrl(`this scheme takes one host${hint}`);
}

function refuseSockets(hosts: readonly Host[]): void {
  if (hosts.some(({ host }) => host.startsWith("/"))) refuseUrl("this scheme takes no path of a socket as a host");
}
