import { parseUrl, type BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/** Schemes of Postgres. */
export const schemes: readonly string[] = ["postgres[ql]://"];

/** What a URL of these schemes means. */
export interface PostgresTarget extends Pick<BackendUrl, "hosts" | "credentials" | "params"> {
  /** Undefined stands for that of the user's name. */
  readonly database: string | undefined;
  /** As `pg` takes it; undefined leaves it to the environment, as `pg` does. */
  readonly ssl: boolean | { readonly rejectUnauthorized: boolean } | undefined;
  /** Only a server that takes writes will do. */
  readonly readWrite: boolean;
}

/** Cuts a URL of Postgres. Throws InvalidArgumentError, which quotes no part of it. */
export function parsePostgresUrl(text: unknown): PostgresTarget {
  const { hosts, credentials, params, path } = parseUrl(text, schemes);
  const [database = "", ...more] = path.replace(/^\//, "").split("/");
  if (more.length > 0) refuseUrl("the path of a postgres URL is the name of a database; write a slash in it as %2F");
  return {
    hosts,
    credentials,
    params,
    database: database === "" ? undefined : decodePart(database, "the database"),
    ssl: parseSslMode(params.get("sslmode")),
    readWrite: parseSession(params.get("target_session_attrs"), hosts.length),
  };
}

function parseSslMode(mode: string | undefined): PostgresTarget["ssl"] {
  switch (mode) {
    case undefined:
      return undefined;
    case "disable":
      return false;
    case "require":
    case "verify-ca":
    case "verify-full":
      return true;
    case "no-verify":
      return { rejectUnauthorized: false };
    default:
      return refuseUrl(
        "sslmode is one of disable, no-verify (TLS without looking at the certificate), require, verify-ca and " +
          "verify-full (TLS with a certificate that is trusted, which all three ask for)",
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
