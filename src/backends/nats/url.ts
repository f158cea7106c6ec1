import { addressText } from "../../base/addresses.ts";
import { parseUrl, refuseParams, refuseSockets, type BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/** Schemes of NATS, without TLS and with it. */
export const schemes: readonly string[] = ["nats[+tls]://"];

/** What a URL of these schemes means. */
export interface NatsTarget extends Pick<BackendUrl, "credentials" | "params"> {
  /** As the driver takes them. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  /** Undefined stands for the usual one. */
  readonly bucket: string | undefined;
}

/** Cuts a URL of NATS. Throws InvalidArgumentError, which quotes no part of it. */
export function parseNatsUrl(text: unknown): NatsTarget {
  const url = parseUrl(text, schemes);
  refuseParams(url, ["creds", "replicas", "connectTimeout", "settings"]);
  const [bucket = "", ...more] = url.path.replace(/^\//, "").split("/");
  if (more.length > 0) refuseUrl("its path is the name of a bucket, as in nats://host/bucket");
  refuseSockets(url);
  return {
    credentials: url.credentials,
    params: url.params,
    servers: url.hosts.map(({ host, port = 4222 }) => addressText(host, port)),
    tls: url.scheme === "nats+tls",
    bucket: bucket === "" ? undefined : decodePart(bucket, "the bucket"),
  };
}
