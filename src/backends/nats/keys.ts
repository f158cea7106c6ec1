import { spaceOfId } from "../../base/keys.ts";

/** A longer token is base64url, so that a name of any key fits into a line of the protocol, which has 4 KiB. */
const longest = 1_400;

/** A cell's name in a bucket: a token for its space, a dot, a token for its key. NATS allows few characters in them. */
export function nameOf(cell: string): string {
  const space = spaceOfId(cell)?.id ?? "";
  return `${tokenOf(space)}.${tokenOf(cell.slice(space.length))}`;
}

/** What matches the names of all cells that begin with `prefix`, and of others of their space. */
export function filterOf(prefix: string): string {
  return `${tokenOf(spaceOfId(prefix)?.id ?? "")}.>`;
}

/** What matches the names of all messages. No space has the id of that token. */
export const messages = "=.>";

/** What the names of the messages to a topic begin with: another token follows, so they are no cells. */
export function topicOf(topic: string): string {
  return `=.${tokenOf(topic)}`;
}

/** The cell of a name; undefined for what is none of ours. */
export function cellOf(name: string): string | undefined {
  const [space, key, ...more] = name.split(".");
  if (space === undefined || key === undefined || more.length > 0) return undefined;
  try {
    return textOf(space) + textOf(key);
  } catch {
    return undefined; // another program's key
  }
}

/** Letters, digits, `_` and `-` stay, a colon is a slash, and of all else each byte is `=` and two digits. */
function tokenOf(text: string): string {
  const token = text.replaceAll(/[^\w-]/gu, (character) =>
    character === ":" ? "/" : Buffer.from(character).toString("hex").replaceAll(/../g, "=$&"),
  );
  return token.length > longest ? `==${Buffer.from(text).toString("base64url")}` : token || "=";
}

function textOf(token: string): string {
  if (token.startsWith("==")) return Buffer.from(token.slice(2), "base64url").toString();
  return token === "=" ? "" : decodeURIComponent(token.replaceAll("/", ":").replaceAll("=", "%"));
}
