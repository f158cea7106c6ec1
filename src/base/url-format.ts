import { sep } from "node:path";

import { isHoldfastError } from "./errors.ts";
import type { Host, Target } from "./url-target.ts";
import { parseUrl } from "./url.ts";

const HIDDEN = "***";

/** The URL of a target, **with its password**: for a driver that takes a URL, never to be shown. */
export function formatUrl(target: Target): string {
  return format(target, encodeURIComponent);
}

/**
 * A URL to be shown: user, password and the values of the query parameters are replaced by `***`. Of what is no valid URL
 * nothing is shown.
 */
export function redactUrl(url: string | Target): string {
  try {
    return format(typeof url === "string" ? parseUrl(url) : url, () => HIDDEN);
  } catch (error) {
    if (isHoldfastError(error, "INVALID_ARGUMENT")) return HIDDEN;
    throw error;
  }
}

/** `secret` writes a user, a password, or a parameter's value. */
function format(target: Target, secret: (text: string) => string): string {
  const names = target.params.names();
  const pairs = names.map((name) => `${encodeURIComponent(name)}=${secret(target.params.get(name) ?? "")}`);
  return `${target.scheme}:${formatRest(target, secret)}${pairs.length === 0 ? "" : "?"}${pairs.join("&")}`;
}

function formatRest(target: Target, secret: (text: string) => string): string {
  switch (target.kind) {
    case "file":
      return formatFile(target.path);
    case "memory":
      return encodeURIComponent(target.name ?? "");
    case "null":
      return "";
    default:
      return `//${formatUser(target.credentials, secret)}${target.hosts.map(formatHost).join(",")}${formatDatabase(target)}`;
  }
}

function formatFile(path: string): string {
  const encoded = path.split(sep).map(encodeURIComponent).join("/");
  return encoded.startsWith("/") ? `//${encoded}` : `///${encoded}`;
}

function formatUser(
  { username, password }: { username: string | undefined; password: string | undefined },
  secret: (text: string) => string,
): string {
  if (username === undefined && password === undefined) return "";
  return `${username === undefined ? "" : secret(username)}${password === undefined ? "" : `:${secret(password)}`}@`;
}

function formatHost({ host, port }: Host): string {
  const name = host.includes(":") && !host.startsWith("/") ? `[${host.replace("%", "%25")}]` : encodeURIComponent(host);
  return port === undefined ? name : `${name}:${port}`;
}

function formatDatabase(target: Exclude<Target, { kind: "file" | "memory" | "null" }>): string {
  if (target.kind === "memcached") return "";
  const master = target.kind === "redis" && target.master !== undefined ? `/${encodeURIComponent(target.master)}` : "";
  return `${master}${target.database === undefined ? "" : `/${encodeURIComponent(target.database)}`}`;
}
