import { addressText } from "../../../base/addresses.ts";
import { InvalidArgumentError } from "../../../base/errors.ts";
import type { MySqlTarget, SslMode } from "../url.ts";
import type { Target } from "./attempt.ts";
import { BACKEND } from "./errors.ts";

/** How a TLS connection is made; as the options of `tls.connect` in Node.js. */
export interface MySqlTlsOptions {
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** The client's own certificate, in PEM. */
  readonly cert?: string | Buffer | undefined;
  /** The key of `cert`, in PEM. */
  readonly key?: string | Buffer | undefined;
  /** `false` trusts any certificate, so anybody in between: for tests. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** The server of a URL. Throws InvalidArgumentError. */
export function urlTarget(target: MySqlTarget, tls: MySqlTlsOptions | undefined): Target {
  const { host: server, credentials, database } = target;
  const { host, port = 3306 } = server;
  const isSocket = host.startsWith("/");
  return {
    where: addressText(host, port),
    config: ownConfig({
      ...(isSocket ? { socketPath: host } : { host, port }),
      user: credentials.username,
      password: credentials.password,
      database,
      ssl: sslOf(target.sslMode, tls),
    }),
  };
}

/** Options of the driver's that say where a server is and who we are; no others of an application's are used. */
const ofPlace = (
  "host port localAddress socketPath user password password2 password3 passwordSha1 database ssl stream compress " +
  "authPlugins authSwitchHandler enableCleartextPlugin insecureAuth connectAttributes"
).split(" ");

/** A server that the driver's options name, of a connection or of a pool. */
export function configTarget(config: Readonly<Record<string, unknown>>): Target {
  const { host, port, socketPath } = config;
  const known = ofPlace.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]]]));
  return {
    where: [socketPath ?? host, ...(socketPath === undefined ? [port ?? 3306] : [])].join(":"),
    config: ownConfig(Object.fromEntries(known) as Record<string, unknown>),
  };
}

/** What every connection of ours has. Deadlines are ours to keep. */
function ownConfig(config: Readonly<Record<string, unknown>>): object {
  return {
    ...Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)),
    multipleStatements: true,
    charset: "utf8mb4",
    // No server gets a file of this machine.
    flags: ["-LOCAL_FILES"],
    connectTimeout: 0,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
  };
}

/** As the driver takes it. */
function sslOf(mode: SslMode | undefined, tls: MySqlTlsOptions | undefined): object | undefined {
  if (mode === undefined && tls !== undefined) return { verifyIdentity: true, ...tls };
  if (mode === undefined || mode === "disabled") {
    if (tls === undefined) return undefined;
    throw new InvalidArgumentError("there are TLS options, and ssl-mode=disabled", { backend: BACKEND });
  }
  return { rejectUnauthorized: mode !== "required", verifyIdentity: mode === "verify-identity", ...tls };
}
