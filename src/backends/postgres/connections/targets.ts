import { addressText } from "../../../base/addresses.ts";
import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "../../../base/errors.ts";
import type { PostgresTarget } from "../url.ts";
import type { Target } from "./attempt.ts";
import type { PgConfig } from "./driver.ts";
import { BACKEND } from "./errors.ts";

/** How a TLS connection is made; as the options of `tls.connect` in Node.js. */
export interface PostgresTlsOptions {
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** The client's own certificate, in PEM. */
  readonly cert?: string | Buffer | undefined;
  /** The key of `cert`, in PEM. */
  readonly key?: string | Buffer | undefined;
  /** The name that the server's certificate must bear; the host's unless told. */
  readonly servername?: string | undefined;
  /** `false` trusts any certificate, so anybody in between: for tests. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** The hosts of a URL. Throws InvalidArgumentError. */
export function urlTargets(target: PostgresTarget, tls: PostgresTlsOptions | undefined): readonly Target[] {
  const { hosts, credentials, database, applicationName, channelBinding } = target;
  if (tls !== undefined && (target.tls === undefined || target.tls.verify === "off")) {
    const message = "TLS options need a URL with an sslmode that has TLS";
    throw new InvalidArgumentError(message, { backend: BACKEND });
  }
  return hosts.map(({ host, port = 5432 }) => ({
    where: addressText(host, port),
    config: async () =>
      ownConfig({
        host,
        port,
        user: credentials.username,
        password: credentials.password,
        database,
        application_name: applicationName,
        enableChannelBinding: channelBinding,
        ...(target.tls && { ssl: await sslOf(target.tls, tls) }),
      }),
  }));
}

/** What the driver makes of a config by itself. */
export function configTarget(config: PgConfig): Target {
  const { host, password } = config;
  return {
    where: typeof host === "string" ? host : "the server",
    // A pool hides the password of its options from copies.
    config: async () => ownConfig(password === undefined ? { ...config } : { ...config, password }),
  };
}

/** What no message may show. */
export function secretsOf({ password, connectionString }: PgConfig): readonly string[] {
  const secrets = typeof password === "string" ? [password] : [];
  const [, written] =
    typeof connectionString === "string" ? (/:\/\/[^:@/]*:([^@/]*)@/.exec(connectionString) ?? []) : [];
  if (written === undefined) return secrets;
  try {
    return [...secrets, written, decodeURIComponent(written)];
  } catch {
    return [...secrets, written];
  }
}

/** What every connection of ours has. Deadlines are ours to keep. */
function ownConfig(config: PgConfig): PgConfig {
  return {
    fallback_application_name: "holdfast",
    ...config,
    pipeline: true,
    binary: false,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: 0,
    connectionTimeoutMillis: 0,
  };
}

async function sslOf(
  { verify, files }: NonNullable<PostgresTarget["tls"]>,
  tls: PostgresTlsOptions | undefined,
): Promise<false | object> {
  if (verify === "off") return false;
  const read: Record<string, Buffer> = {};
  for (const [name, file] of Object.entries(files)) if (file !== undefined) read[name] = await fileOf(file, name);
  return {
    rejectUnauthorized: verify !== "nothing",
    ...(verify === "trust" && { checkServerIdentity: () => undefined }),
    ...read,
    ...tls,
  };
}

async function fileOf(file: string, name: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const message = `the file of the URL for the ${name} of TLS cannot be read: ${code}`;
    throw new InvalidArgumentError(message, { backend: BACKEND });
  }
}
