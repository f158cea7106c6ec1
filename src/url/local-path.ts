import { resolve } from "node:path";
import type { BackendUrl } from "./backend-url.ts";
import { decodePart, refuseUrl } from "./cut.ts";

/**
 * The path that a URL without hosts names, such as `file:./dir`, `file:/dir` or `file:///dir`. A relative one is
 * resolved against the working directory. `what` it is and a `name` as an example are for what is said. Throws
 * InvalidArgumentError.
 */
export function localPath({ scheme, path }: BackendUrl, what: string, name: string): string {
  const [, host = "", encoded = ""] = /^(?:\/\/([^/]*))?(.*)$/.exec(path) ?? [];
  if (host !== "" && host.toLowerCase() !== "localhost") {
    const ways = `${scheme}:./${name}, ${scheme}:/${name} or ${scheme}:///${name}`;
    refuseUrl(`a ${scheme}: URL names no host; write ${ways}`);
  }
  const decoded = decodePart(encoded, "the path");
  if (decoded === "") refuseUrl(`a ${scheme}: URL needs a ${what}, such as ${scheme}:./${name}`);
  const onDrive = process.platform === "win32" && /^\/[a-z]:/i.test(decoded);
  return resolve(onDrive ? decoded.slice(1) : decoded);
}
