import { InvalidArgumentError } from "../base/errors.ts";

/** Every message says where the fault is, none quotes the URL: any part of a malformed one may be a password. */
export function refuseUrl(why: string): never {
  throw new InvalidArgumentError(`the URL is not valid: ${why}`);
}

/** A URL cut at its first marks, nothing decoded. */
export interface Cut {
  /** In lower case; undefined if there is none. */
  readonly scheme: string | undefined;
  /** What stands between the scheme's colon and the question mark. */
  readonly body: string;
  readonly query: string;
}

/** Cuts a URL; refuses what can be in none. */
export function cut(url: unknown): Cut {
  if (typeof url !== "string") {
    throw new InvalidArgumentError(`the URL must be a string, got ${url === null ? "null" : typeof url}`);
  }
  if (url === "") refuseUrl("it is empty");
  // oxlint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f-\u009f]/u.test(url))
    refuseUrl("it holds white space or a control character; percent-encode it");
  if (/\p{Surrogate}/u.test(url)) refuseUrl("it holds a lone surrogate");
  if (url.includes("#")) refuseUrl("it has a fragment; write a # that belongs to a name or password as %23");
  const [start = "", scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(url) ?? [];
  const rest = url.slice(start.length);
  const mark = rest.indexOf("?");
  return {
    scheme: scheme?.toLowerCase(),
    body: mark < 0 ? rest : rest.slice(0, mark),
    query: mark < 0 ? "" : rest.slice(mark + 1),
  };
}

/** Percent-decodes one part of a URL, which `what` names in the error. Throws InvalidArgumentError. */
export function decodePart(text: string, what: string): string {
  let decoded;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    return refuseUrl(`${what} holds a % that does not start a valid escape; write a plain % as %25`);
  }
  return decoded.includes("\0") ? refuseUrl(`${what} holds a NUL character`) : decoded;
}
