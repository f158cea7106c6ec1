import { drawId } from "../base/ids.ts";

/** What the store keeps beside a hold, for those who ask who holds it. */
export interface Info {
  /** Local hand-offs of the grant. */
  readonly n: number;
  readonly label?: string | undefined;
  /** A {@link HolderKind}. */
  readonly kind?: string | undefined;
}

/** Puts {@link Info} into the text that the port carries. */
export function writeInfo(n: number, { label, kind }: Omit<Info, "n">): string {
  if (kind !== undefined) return JSON.stringify([n, label ?? null, kind]);
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
  if (!Array.isArray(parsed)) return { n: toCount(parsed) };
  const [n, label, kind] = parsed as readonly unknown[];
  return { n: toCount(n), label: toText(label), kind: toText(kind) };
}

function toCount(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 1024 ? value : 0;
}

function toText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

const processPrefix = drawId().replace(/\.[^.]*$/, ".");

/** Whether a contender was drawn in this process. */
export function isOfThisProcess(owner: string): boolean {
  return owner.startsWith(processPrefix);
}
