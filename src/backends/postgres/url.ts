import { parseUrl, refuseParams, type BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/** Schemes of Postgres. */
export const schemes: readonly string[] = ["postgres[ql]://"];

/** Parameters that say how to connect, by the names that other clients of Postgres know. */
const libpqParams: readonly string[] = [
  "application_name",
  "channel_binding",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
];

/** Parameters that are options of the connections. */
export const connectionParams = ["listenUrl", "connectTimeout", "maxConnections", "maxWaiting"] as const;

/** Parameters that are options of the tables. */
const tableParams: readonly string[] = ["schema", "prefix", "migrate", "settings"];

/** What a URL of these schemes means. */
export interface PostgresTarget extends Pick<BackendUrl, "hosts" | "credentials" | "params"> {
  /** Undefined stands for that of the user's name. */
  readonly database: string | undefined;
  readonly applicationName: string | undefined;
  /** Undefined leaves TLS to the environment (`PGSSLMODE`), and without that there is none. */
  readonly tls: UrlTls | undefined;
  readonly channelBinding: boolean;
  /** Only a server that takes writes will do. */
  readonly readWrite: boolean;
}

export interface UrlTls {
  /** What of the server's certificate is looked at. `"name"`: whether it is trusted, and whose it is. */
  readonly verify: "off" | "nothing" | "trust" | "name";
  /** Files in PEM. */
  readonly files: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

/** Cuts a URL of Postgres. Throws InvalidArgumentError, which quotes no part of it. */
export function parsePostgresUrl(text: unknown): PostgresTarget {
  const url = parseUrl(text, schemes);
  refuseParams(url, [...tableParams, ...connectionParams, ...libpqParams]);
  const { hosts, credentials, params, path } = url;
  const [database = "", ...more] = path.replace(/^\//, "").split("/");
  if (more.length > 0) refuseUrl("the path of a postgres URL is the name of a database; write a slash in it as %2F");
  return {
    hosts,
    credentials,
    params,
    database: database === "" ? undefined : decodePart(database, "the database"),
    applicationName: params.get("application_name"),
    tls: parseTls(params),
    channelBinding: params.get("channel_binding") !== undefined && params.get("channel_binding") !== "disable",
    readWrite: parseSession(params.get("target_session_attrs"), hosts.length),
  };
}

function parseTls(params: BackendUrl["params"]): UrlTls | undefined {
  const files = { ca: params.get("sslrootcert"), cert: params.get("sslcert"), key: params.get("sslkey") };
  const hasFiles = Object.values(files).some((file) => file !== undefined);
  const mode = params.get("sslmode");
  switch (mode) {
    case undefined:
      return hasFiles ? { verify: "name", files } : undefined;
    case "disable":
      return hasFiles ? refuseUrl("it has files for TLS, and sslmode=disable") : { verify: "off", files };
    case "no-verify":
      return { verify: "nothing", files };
    case "verify-ca":
      return { verify: "trust", files };
    case "require":
    case "verify-full":
      return { verify: "name", files };
    default:
      return refuseUrl(
        "sslmode is one of disable (no TLS), no-verify (TLS with any certificate), verify-ca (with one that is " +
          "trusted), verify-full and require (with one that is trusted and bears the host's name)",
      );
  }
}

/** Of several hosts the one that takes writes is meant, unless the URL says otherwise. */
function parseSession(attribute: string | undefined, hosts: number): boolean {
  switch (attribute) {
    case undefined:
      return hosts > 1;
    case "any":
      return false;
    case "read-write":
    case "primary":
      return true;
    default:
      return refuseUrl("target_session_attrs is any, read-write or primary");
  }
}
