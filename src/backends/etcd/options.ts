import type { ConnectionOptions } from "node:tls";
import { addressText } from "../../base/addresses.ts";
import type { Duration } from "../../base/durations.ts";
import { InvalidArgumentError } from "../../base/errors.ts";
import { connectTimeoutOf } from "../common/options.ts";
import { parseEtcdUrl } from "./url.ts";

/** What {@link etcdBackend} takes. */
export interface EtcdOptions {
  /**
   * `etcd[s]://user:password@host:2379,host2:2379`, with the members of one cluster: each is used where others fail.
   * Parameters are the options below by their names but `tls`, and the files `ca`, `cert` and `key`, in PEM. An option
   * wins over a parameter.
   */
  readonly url: string;
  /** What all keys begin with. Default `"holdfast/"`. */
  readonly prefix?: string | undefined;
  /** For `etcds`: whom to trust, and a certificate of this client. */
  readonly tls?: Pick<ConnectionOptions, "ca" | "cert" | "key" | "passphrase" | "servername"> | undefined;
  /** How long an attempt to connect may take. Default `"5s"`. */
  readonly connectTimeout?: Duration | undefined;
}

export interface ResolvedOptions {
  /** Of `http` or `https`. */
  readonly urls: readonly string[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly prefix: string;
  readonly tls:
    { readonly options: EtcdOptions["tls"]; readonly files: Readonly<Record<string, string | undefined>> } | undefined;
  readonly connectTimeoutMs: number;
}

/** Throws InvalidArgumentError, which quotes no part of the URL. */
export function resolveOptions({ url, prefix, tls, connectTimeout }: EtcdOptions): ResolvedOptions {
  const { scheme, hosts, credentials, params } = parseEtcdUrl(url);
  const secure = scheme === "etcds";
  if (tls !== undefined && !secure) throw new InvalidArgumentError("tls is for a URL of etcds://", { backend: "etcd" });
  const chosen = prefix ?? params.get("prefix") ?? "holdfast/";
  if (typeof chosen !== "string" || chosen === "") {
    throw new InvalidArgumentError("prefix must be a text that is not empty", { backend: "etcd" });
  }
  const files = { ca: params.get("ca"), cert: params.get("cert"), key: params.get("key") };
  return {
    urls: hosts.map(({ host, port = 2_379 }) => `http${secure ? "s" : ""}://${addressText(host, port)}`),
    username: credentials.username,
    password: credentials.password,
    prefix: chosen,
    tls: secure ? { options: tls, files } : undefined,
    connectTimeoutMs: connectTimeoutOf(connectTimeout, params.get("connectTimeout")),
  };
}
