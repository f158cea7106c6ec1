/*
 * The words of a call of the script and of its reply. `encode.ts` writes them, `decode.ts` reads them, and the script's
 * text is made with them, so the three cannot differ. A letter stands before its arguments, and each takes one key.
 */

/** Elements of a group: any number of them, in any mixture. */
export const element = {
  guard: "G",
  get: "R",
  getStamped: "V",
  head: "H",
  check: "C",
  set: "S",
  touch: "U",
  delete: "D",
  floor: "F",
  acquire: "A",
  extend: "E",
  release: "L",
  steal: "T",
  inspect: "I",
} as const;

/** Groups of one plain operation; `times` is none, but says how long the acquires behind it hold and wait. */
export const quickly = {
  times: "t",
  acquire: "a",
  release: "l",
  extend: "e",
  put: "p",
  compareAndSet: "c",
  getStamped: "v",
  head: "h",
  touch: "u",
  delete: "d",
} as const;

/** How many arguments each has, its letter included. */
const widths: Readonly<Record<string, number>> = {
  [element.guard]: 3,
  [element.get]: 1,
  [element.getStamped]: 1,
  [element.head]: 2,
  [element.check]: 2,
  [element.set]: 5,
  [element.touch]: 4,
  [element.delete]: 2,
  [element.floor]: 4,
  [element.acquire]: 7,
  [element.extend]: 5,
  [element.release]: 3,
  [element.steal]: 2,
  [element.inspect]: 1,
  [quickly.times]: 3,
  [quickly.acquire]: 2,
  [quickly.release]: 2,
  [quickly.extend]: 4,
  [quickly.put]: 4,
  [quickly.compareAndSet]: 3,
  [quickly.getStamped]: 1,
  [quickly.head]: 2,
  [quickly.touch]: 3,
  [quickly.delete]: 1,
};

/** How many arguments a letter has, as a number in the script. */
export function width(letter: string): string {
  return String(widths[letter]);
}

/** The same of all of them, as a table of the script. */
export function widthTable(letters: Readonly<Record<string, string>>): string {
  return `{ ${Object.values(letters)
    .map((letter) => `${letter} = ${width(letter)}`)
    .join(", ")} }`;
}

/** A condition: nothing for none, `id` with the id behind it, or `absent`. */
export const condition = { none: "", id: "=", absent: "-" } as const;

/** An end of a record: nothing for never, digits for a ttl, `keep`, or `at` with the moment behind it. */
export const ending = { never: "", keep: "k", at: "@" } as const;

/** What of the stamps: not looked at, to be current, or known not to be. */
export const stamping = { any: "", current: "s", stale: "n" } as const;

/** The mode of a lock. */
export const mode = { exclusive: "x", shared: "s" } as const;

/**
 * How the reply to a group begins: its values follow, or why it was refused; an error, before or after its first write.
 */
export const reply = { done: 0, conflict: 1, fenced: 2, held: 3, failedBefore: 4, failedAfter: 5 } as const;
