/**
 * What the server calls the events after which a record may be another, or none. A change of its ttl alone is not one.
 */
const changing: ReadonlySet<string> = new Set([
  "set",
  "del",
  "expired",
  "evicted",
  // Not ours, but an operator's or a slot migration's.
  "restore",
  "rename_from",
  "rename_to",
  "copy_to",
  "move_from",
  "move_to",
]);

/** The pattern of the notifications of all keys that begin with `head`. */
export function keyspacePattern(database: number, head: string): string {
  // Characters that a pattern gives a meaning to stand for themselves.
  return `${channelHead(database)}${head.replaceAll(/[\\*?[\]^-]/gu, String.raw`\$&`)}*`;
}

/** The key whose notification came on `channel`, if it says that the key's value may have changed. */
export function changedKey(database: number, channel: string, body: Buffer): string | undefined {
  const head = channelHead(database);
  if (!channel.startsWith(head) || !changing.has(body.toString("latin1"))) return undefined;
  return channel.slice(head.length);
}

function channelHead(database: number): string {
  return `__keyspace@${database}__:`;
}
