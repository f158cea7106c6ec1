import { drawId } from "../base/ids.ts";

/** What the store keeps beside a hold, for those who ask who holds it. */
export interface Info {
  /** Local hand-offs of the grant. */
  readonly n: number;
  readonly label?: string | undefined;
}

/** Puts {@link Info} into the text that the port carries. */
export function writeInfo(n: number, label: string | undefined): string {
  if (label === undefined) return n === 0 ? "0" : String(n);
  return JSON.stringify([n, label]);
}

/** Reads {@link writeInfo}'s text. What another version wrote and this one does not know reads as no label. */
export function readInfo(text: string): Info {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { n: 0 };
  }
  if (Array.isArray(parsed) && typeof parsed[1] === "string") return { n: toCount(parsed[0]), label: parsed[1] };
  return { n: toCount(parsed) };
}

function toCount(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 1024 ? value : 0;
}

const processPrefix = drawId().replace(/\.[^.]*$/, ".");

/** Whether a contender was drawn in this process. */
export function isOfThisProcess(owner: string): boolean {
  return owner.startsWith(processPrefix);
}
