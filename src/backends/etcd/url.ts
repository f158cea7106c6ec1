import { parseUrl, refuseParams, refuseSockets, type BackendUrl } from "../../url/backend-url.ts";
import { refuseUrl } from "../../url/cut.ts";

/** Schemes of etcd, with TLS and without. */
export const schemes: readonly string[] = ["etcd[s]://"];

const files = ["ca", "cert", "key"] as const;

/** Throws InvalidArgumentError, which quotes no part of the URL. */
export function parseEtcdUrl(text: unknown): BackendUrl {
  const url = parseUrl(text, schemes);
  const { scheme, path, params, credentials } = url;
  refuseParams(url, ["prefix", "connectTimeout", ...files]);
  refuseSockets(url);
  if (path !== "" && path !== "/") refuseUrl("an etcd URL has no path; what keys begin with is its parameter prefix");
  if (scheme === "etcd" && files.some((name) => params.get(name) !== undefined)) {
    refuseUrl("ca, cert and key are for etcds://");
  }
  if ((credentials.username === undefined) !== (credentials.password === undefined)) {
    refuseUrl("a user has a password, and a password a user");
  }
  return url;
}
