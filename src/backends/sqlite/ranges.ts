/** The first text behind all that begin with `prefix`, by their bytes; undefined where there is none. */
export function pastPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) as number);
  while (points.at(-1) === lastPoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Halves of characters are no text of their own.
  points.push(last === 0xd7ff ? 0xe000 : last + 1);
  return String.fromCodePoint(...points);
}

const lastPoint = 0x10ffff;
