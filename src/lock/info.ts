import { drawId } from "../base/ids.ts";

/** What the store keeps beside a hold, for `inspect` and `list`. */
export interface Info {
  /** How often the grant was handed on in its process. */
  readonly n: number;
  readonly label?: string | undefined;
  /** A {@link HolderKind}. */
  readonly kind?: string | undefined;
}

/** The text of {@link Info} for the port. */
export function writeInfo(n: number, { label, kind }: Omit<Info, "n">): string {
  if (kind !== undefined) return JSON.stringify([n, label ?? null, kind]);
  if (label === undefined) return n === 0 ? "0" : String(n);
  return JSON.stringify([n, label]);
}

/** Reads the text of {@link writeInfo}. An unknown text of another version reads as no label. */
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
