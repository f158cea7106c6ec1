/**
 * The tag of a key, by a convention that clusters share: what is between its first `{` and the next `}`, if that is not
 * empty; else the key itself. Keys of one tag live in one place of a partitioned store.
 */
export function tagOf(key: string): string {
  const open = key.indexOf("{");
  if (open < 0) return key;
  const close = key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}
