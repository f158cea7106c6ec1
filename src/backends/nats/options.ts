import type { Duration } from "../../base/durations.ts";
import { InvalidArgumentError } from "../../base/errors.ts";
import type { SettingsMode } from "../common/findings.ts";
import { connectTimeoutOf, countOf, oneOf } from "../common/options.ts";
import type { NatsConnection } from "./driver.ts";
import { parseNatsUrl, type NatsTarget } from "./url.ts";

export const BACKEND = "nats";

/** How a TLS connection is made. */
export interface NatsTlsOptions {
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string | undefined;
  /** The client's own certificate, in PEM. */
  readonly cert?: string | undefined;
  /** The key of `cert`, in PEM. */
  readonly key?: string | undefined;
  /** TLS begins at once, as servers with `handshake_first` want it, and not after the server's first line. */
  readonly handshakeFirst?: boolean | undefined;
}

/** How to reach NATS, and which bucket. Exactly one of `url` and `connection`. */
export interface NatsOptions {
  /**
   * `nats://user:password@host:4222,host2/bucket`, with a token alone in place of user and password, or with `nats+tls`
   * in place of `nats`. Parameters: `creds`, the path of a credentials file, and the options below but `tls`; an option
   * wins.
   */
  readonly url?: string | undefined;
  /**
   * The application's own connection, of `connect` of package `@nats-io/transport-node` or its like. Its status is
   * listened to; it is never changed or closed here.
   */
  readonly connection?: object | undefined;
  /** The key-value bucket that all is kept in, which is made if it is not there. Default `"holdfast"`. */
  readonly bucket?: string | undefined;
  /** For a bucket that is made: on so many servers, 1 to 5. Default 1. */
  readonly replicas?: number | undefined;
  /** For a URL: has TLS. */
  readonly tls?: NatsTlsOptions | undefined;
  /** For one attempt to connect to one server. Default `"5s"`. */
  readonly connectTimeout?: Duration | undefined;
  /** What becomes of a bucket whose settings break what is promised: refuse to open, or warn. Default `"refuse"`. */
  readonly settings?: SettingsMode | undefined;
}

/** {@link NatsOptions} with every default in its place. */
export interface ResolvedOptions {
  readonly target: NatsTarget | undefined;
  readonly connection: NatsConnection | undefined;
  readonly bucket: string;
  readonly replicas: number;
  readonly tls: NatsTlsOptions | undefined;
  readonly connectTimeout: number;
  readonly settings: SettingsMode;
}

/** Checks options and puts the defaults in place. Throws InvalidArgumentError. */
export function resolveOptions(options: NatsOptions): ResolvedOptions {
  const { url, connection, tls } = options;
  if ((url === undefined) === (connection === undefined)) {
    refuse("nats needs a url or a connection, and one of them only");
  }
  const given: Partial<NatsConnection> | undefined = connection;
  if (given !== undefined && (typeof given?.request !== "function" || typeof given.status !== "function")) {
    refuse("the connection is not one of @nats-io/transport-node");
  }
  const target = url === undefined ? undefined : parseNatsUrl(url);
  const param = (name: keyof NatsOptions): string | undefined => target?.params.get(name);
  const bucket = options.bucket ?? target?.bucket ?? "holdfast";
  if (!/^[\w-]{1,64}$/.test(bucket)) refuse("a bucket's name has 1 to 64 letters, digits, _ and -");
  const replicas = countOf("replicas", options.replicas, param("replicas"), { usual: 1, backend: BACKEND });
  if (replicas > 5) refuse("replicas must be 1 to 5");
  return {
    target,
    connection: given as NatsConnection | undefined,
    bucket,
    replicas,
    tls: tls ?? (target?.tls ? {} : undefined),
    connectTimeout: connectTimeoutOf(options.connectTimeout, param("connectTimeout")),
    settings: oneOf("settings", options.settings ?? param("settings"), ["refuse", "warn"], BACKEND),
  };
}

function refuse(why: string): never {
  throw new InvalidArgumentError(why, { backend: BACKEND });
}
