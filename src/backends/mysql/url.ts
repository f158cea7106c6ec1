import { parseUrl, refuseParams, refuseSeveral, type BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/** Schemes of MySQL and MariaDB, which are reached alike. */
export const schemes: readonly string[] = ["mysql://", "mariadb://"];

/** Parameters of such a URL. */
const parameters = [
  "prefix",
  "schema",
  "ssl-mode",
  "connectTimeout",
  "maxConnections",
  "maxWaiting",
  "migrate",
  "settings",
] as const;

/** Whether TLS is used, and what a certificate must be; as MySQL's own programs have it. */
export type SslMode = "disabled" | "required" | "verify-ca" | "verify-identity";

/** What a URL of these schemes means. */
export interface MySqlTarget extends Pick<BackendUrl, "credentials" | "params"> {
  readonly host: BackendUrl["hosts"][number];
  readonly database: string;
  readonly sslMode: SslMode | undefined;
}

/** Cuts a URL of MySQL. Throws InvalidArgumentError, which quotes no part of it. */
export function parseMySqlUrl(text: unknown): MySqlTarget {
  const url = parseUrl(text, schemes);
  refuseSeveral(url);
  refuseParams(url, parameters);
  const [database = "", ...more] = url.path.replace(/^\//, "").split("/");
  if (database === "" || more.length > 0) {
    refuseUrl("its path must be the name of a database, as in mysql://host/database; write a slash in it as %2F");
  }
  const { credentials, params, hosts } = url;
  return {
    host: hosts[0] as MySqlTarget["host"],
    credentials,
    params,
    database: decodePart(database, "the database"),
    sslMode: parseSslMode(params.get("ssl-mode")),
  };
}

function parseSslMode(mode: string | undefined): SslMode | undefined {
  switch (mode?.toLowerCase().replace("_", "-")) {
    case undefined:
      return undefined;
    case "disabled":
      return "disabled";
    case "required":
      return "required";
    case "verify-ca":
      return "verify-ca";
    case "verify-identity":
      return "verify-identity";
    default:
      return refuseUrl(
        "ssl-mode is disabled, required (TLS with any certificate), verify-ca (one that is trusted) or " +
          "verify-identity (one that is trusted and bears the host's name)",
      );
  }
}
