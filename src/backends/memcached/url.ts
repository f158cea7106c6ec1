import { parseUrl, refuseParams, type BackendUrl } from "../../url/backend-url.ts";
import { refuseUrl } from "../../url/cut.ts";

/** Schemes of memcached: with an `s`, over TLS. */
export const schemes: readonly string[] = ["memcached[s]://"];

/** Parameters of such a URL. */
const parameters = ["prefix", "guard", "connectTimeout", "replyTimeout", "maxWaiting"] as const;

/** Cuts a URL of memcached. Throws InvalidArgumentError, which quotes no part of it. */
export function parseMemcachedUrl(text: unknown): BackendUrl {
  const url = parseUrl(text, schemes);
  refuseParams(url, parameters);
  if (url.path !== "" && url.path !== "/") refuseUrl("there are no databases in memcached: it has no path");
  return url;
}
