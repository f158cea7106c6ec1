import * as fc from "fast-check";

/** Keys that a codec may stumble over: prototypes, methods of Object, and what looks like its own tags. */
const awkwardKeys = [
  "__proto__",
  "constructor",
  "toString",
  "length",
  "0",
  "10",
  "",
  "a b",
  "@hf:",
  "@hf::",
  "@hf:date",
  "@hf::date",
  "@hf:::map",
  "@hf:undefined",
  "@hf:nothing",
  '"@hf:set":',
];

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("\ud800", "\udc00a", "\u0000", '{"@hf:date":null}'),
);
const key = fc.oneof({ arbitrary: fc.string({ maxLength: 6 }), weight: 2 }, fc.constantFrom(...awkwardKeys));
const plainLeaf = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
);
const richLeaf = fc.oneof(
  { arbitrary: plainLeaf, weight: 4 },
  fc.constantFrom(undefined, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);

/** An object of these properties, `__proto__` being one like any other. */
export function objectOf(entries: readonly (readonly [string, unknown])[], prototype: object | null): object {
  const object = Object.create(prototype) as object;
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

function entriesOf(value: fc.Arbitrary<unknown>): fc.Arbitrary<[string, unknown][]> {
  return fc.uniqueArray(fc.tuple(key, value), { maxLength: 4, selector: ([name]) => name });
}

function tree(leaf: fc.Arbitrary<unknown>, nodes: (child: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>[]) {
  return fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, ...nodes(tie("value"))),
  })).value;
}

const plainNodes = (child: fc.Arbitrary<unknown>) => [
  fc.array(child, { maxLength: 4 }),
  entriesOf(child).map((entries) => objectOf(entries, Object.prototype)),
];

/** Any value that JSON itself stores exactly. */
export const plainValue: fc.Arbitrary<unknown> = tree(plainLeaf, plainNodes);

/** Any value that the codec stores. */
export const anyValue: fc.Arbitrary<unknown> = tree(richLeaf, (child) => [
  ...plainNodes(child),
  entriesOf(child).map((entries) => objectOf(entries, null)),
  fc.array(fc.tuple(child, child), { maxLength: 3 }).map((entries) => new Map(entries)),
  fc.array(child, { maxLength: 3 }).map((items) => new Set(items)),
]).filter((value) => value !== undefined);

/** Every object that can be reached from `value`, with the memory behind bytes. */
export function reachable(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== "object" || value === null || found.has(value)) return found;
  found.add(value);
  if (value instanceof Uint8Array) return found.add(value.buffer);
  if (value instanceof Map) for (const entry of value) entry.forEach((part: unknown) => reachable(part, found));
  if (value instanceof Set) for (const item of value) reachable(item, found);
  for (const name of Object.keys(value)) reachable((value as Record<string, unknown>)[name], found);
  return found;
}
