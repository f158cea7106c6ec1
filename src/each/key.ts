/** Longest key of an item, in characters: it is stored with its dead letter, and with what it stops. */
const longestKey = 65_536;

/** The key of an item: a text that is not empty and not too long, a number, a bigint or a boolean. */
export function keyOf(item: unknown, field: string): string | undefined {
  const value = valueOf(item, field);
  if (typeof value === "string") return value === "" || value.length > longestKey ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : undefined;
}

/** Why an item has no key. */
export function keyFault(item: unknown, field: string): string {
  const name = JSON.stringify(field);
  const value = valueOf(item, field);
  if (typeof value !== "string" || value === "") return `the item has no key in the field ${name}`;
  return `the key in the field ${name} has ${value.length} characters, and may have ${longestKey}`;
}

function valueOf(item: unknown, field: string): unknown {
  const there = typeof item === "object" && item !== null && Object.hasOwn(item, field);
  return there ? (item as Record<string, unknown>)[field] : undefined;
}
