import { UnsupportedError } from "../../base/errors.ts";
import { quantilesOf } from "../../base/quantiles.ts";
import type { Time } from "../../base/time.ts";
import type { Finding, RoundTrips } from "../../port/index.ts";

/** A finding, and whether a backend opens all the same. */
export interface Judgement extends Finding {
  /** `always`: it can never work. `asked`: unless opened with `settings: "warn"`. */
  readonly refuses: "always" | "asked" | "never";
}

export function wrong(what: string, why: string, remedy: string, refuses: Judgement["refuses"] = "never"): Judgement {
  return { level: "wrong", what, why, remedy, refuses };
}

export function risk(what: string, why: string, remedy: string): Judgement {
  return { level: "risk", what, why, remedy, refuses: "never" };
}

export function fine(what: string, why: string): Judgement {
  return { level: "fine", what, why, remedy: "", refuses: "never" };
}

export function unknown(what: string, why: string, remedy: string): Judgement {
  return { level: "unknown", what, why, remedy, refuses: "never" };
}

const gravity: readonly Finding["level"][] = ["wrong", "risk", "unknown", "fine"];

/** What is shown of judgements: the gravest first. */
export function findingsOf(judgements: readonly Judgement[]): Finding[] {
  return judgements
    .map(({ level, what, why, remedy }) => ({ level, what, why, remedy }))
    .toSorted((a, b) => gravity.indexOf(a.level) - gravity.indexOf(b.level));
}

export function inOneLine({ what, why, remedy }: Judgement): string {
  return `${what}: ${why}; ${remedy}`;
}

/** How what is refused is opened all the same. */
export const settingsHint = ' (opened all the same with settings: "warn", or ?settings=warn in the URL)';

/** What becomes of settings of the server that break a promise: `open` is refused, or the process is warned. */
export type SettingsMode = "refuse" | "warn";

/**
 * Refuses to open where judgements say so: throws UnsupportedError. With `"warn"` those that may be opened all the same
 * are warnings of the process, once for each `owner`.
 */
export function enforce(judgements: readonly Judgement[], mode: SettingsMode, backend: string, owner: object): void {
  const broken = judgements.filter(({ refuses }) => refuses !== "never");
  const refused = broken.filter(({ refuses }) => refuses === "always" || mode === "refuse");
  if (refused.length > 0) {
    const hint = refused.every(({ refuses }) => refuses === "asked") ? settingsHint : "";
    throw new UnsupportedError(`${refused.map(inOneLine).join("; ")}${hint}`, { backend });
  }
  for (const judgement of broken) warnOnce(owner, `${backend}: ${inOneLine(judgement)}`);
}

/** A clock that is further off than this is set wrong, in ms. */
const clockOff = 1_000;

/** What a server's clock says of the server: how far it is ahead of this machine's, and how exactly that is known. */
export function judgeClock(aheadMs: number, errorMs: number): Judgement {
  const off = Math.max(0, Math.abs(aheadMs) - errorMs);
  if (off <= clockOff) return fine("the server's clock", "agrees with this machine's");
  return risk(
    `the server's clock is ${(off / 1000).toFixed(1)} s ${aheadMs > 0 ? "ahead of" : "behind"} this machine's`,
    "leases do not mind; what a ttl means in wall time does, and fences may fall when another server takes over",
    "have the machines' clocks set by NTP",
  );
}

/** Most of them that are kept in mind. */
const mostGiven = 256;

/** Warnings that were given, by what they were given for: once is enough. */
const given = new WeakMap<object, Set<string>>();

/** A warning of the process, once for each `owner` and text. */
export function warnOnce(owner: object, text: string): void {
  const before = given.get(owner) ?? new Set();
  given.set(owner, before);
  if (before.has(text)) return;
  // Servers that come and go have ever new names.
  if (before.size >= mostGiven) before.clear();
  before.add(text);
  process.emitWarning(text, { type: "HoldfastWarning", code: "HOLDFAST_SETTINGS" });
}

/** Times a ping, one after the other: `most` times, or as often as fits into a part of the time that is left. */
export async function timed(
  to: string,
  ping: () => Promise<unknown>,
  limits: { readonly most: number; readonly share: number; readonly time: Time; readonly deadline: number },
): Promise<RoundTrips> {
  const { most, share, time, deadline } = limits;
  const until = time.monotonic() + (deadline - time.monotonic()) * share;
  const took: number[] = [];
  while (took.length < most && (took.length === 0 || time.monotonic() < until)) {
    const start = time.monotonic();
    await ping();
    took.push(time.monotonic() - start);
  }
  return { to, ...quantilesOf(took) };
}
