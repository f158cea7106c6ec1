import { randomBytes } from "node:crypto";

const prefix = randomBytes(10).toString("base64url"); // 80 bits that no other process draws
let counter = randomBytes(4).readUInt32BE() & 0xffffff;

/**
 * An id never drawn before by any process: a process-random prefix of 80 bits and a counter of 48. Cheap: no system call.
 * Characters: `A-Za-z0-9_-` and a `.`.
 */
export function drawId(): string {
  return `${prefix}.${(counter++).toString(36)}`;
}
