import { randomBytes } from "node:crypto";

const prefix = randomBytes(10).toString("base64url"); // 80 bits that no other process draws
let counter = randomBytes(4).readUInt32BE() & 0xffffff;

/** The last two digits of the counter as text, for making text of a number is what would cost most. */
const digits = Array.from({ length: 36 ** 2 }, (_, i) => i.toString(36).padStart(2, "0"));
const start = (): string => `${prefix}.${Math.floor(counter / digits.length).toString(36)}`;
let first = start();

/**
 * An id never drawn before by any process: a process-random prefix of 80 bits and a counter of 48. Cheap: no system
 * call. Characters: `A-Za-z0-9_-` and a `.`.
 */
export function drawId(): string {
  const last = counter++ % digits.length;
  const id = first + (digits[last] as string);
  if (last === digits.length - 1) first = start();
  return id;
}
