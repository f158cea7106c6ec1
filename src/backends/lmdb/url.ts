import { resolve } from "node:path";
import type { BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/**
 * The directory that `file:./dir`, `file:/dir` or `file:///dir` names. A relative one is resolved against the working
 * directory. Throws InvalidArgumentError.
 */
export function directoryOf({ path }: BackendUrl): string {
  const [, host = "", encoded = ""] = /^(?:\/\/([^/]*))?(.*)$/.exec(path) ?? [];
  if (host !== "" && host.toLowerCase() !== "localhost") {
    refuseUrl("a file: URL names no host; write file:./dir, file:/dir or file:///dir");
  }
  const decoded = decodePart(encoded, "the path");
  if (decoded === "") refuseUrl("a file: URL needs a directory, such as file:./dir");
  const onDrive = process.platform === "win32" && /^\/[a-z]:/i.test(decoded);
  return resolve(onDrive ? decoded.slice(1) : decoded);
}
