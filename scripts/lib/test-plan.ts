import type { Reach } from "./backends.ts";

/** Files that run one after the other, beside other units. */
export interface Unit {
  readonly name: string;
  /** From `tests/` on. */
  readonly files: readonly string[];
  /** Settings of its processes beside those of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Half processors that it keeps busy. */
  readonly weight: number;
}

/**
 * Folders and files that take long or are no light work, the longest first: they begin first. A file is of the first
 * that it begins with.
 */
const heavy: readonly { readonly under: string; readonly weight: number }[] = [
  { under: "package/conformance", weight: 3 },
  { under: "chaos/holders", weight: 3 },
  { under: "chaos/kills.", weight: 3 },
  { under: "state/processes", weight: 2 },
  { under: "each/lost", weight: 2 },
  { under: "each/command", weight: 2 },
  { under: "each/redis", weight: 2 },
  { under: "backends/redis/faults/", weight: 2 },
  { under: "chaos/", weight: 3 },
  { under: "package/", weight: 2 },
  { under: "doctor/", weight: 1 },
];

/**
 * What runs side by side. The conformance suites are a unit for each backend; each other file is one. What is heavy and long begins
 * first, so that the short ones fill the room at the end.
 */
export function planOf(files: readonly string[], reached: readonly Reach[]): Unit[] {
  const suites = files.filter((file) => file.startsWith("conformance/"));
  const others = files.filter((file) => !file.startsWith("conformance/"));
  const of = (under: string): Unit[] =>
    others
      .filter((file) => heavy.find((one) => file.startsWith(one.under))?.under === under)
      .map((file) => ({ name: file, files: [file], weight: heavy.find((one) => one.under === under)?.weight ?? 1 }));
  const [first, ...rest] = heavy.map(({ under }) => of(under)) as [Unit[], ...Unit[][]];
  return [...first, ...conformance(suites, reached), ...rest.flat(), ...others.filter(isLight).map(light)];
}

function isLight(file: string): boolean {
  return heavy.every(({ under }) => !file.startsWith(under));
}

function light(file: string): Unit {
  return { name: file, files: [file], weight: 1 };
}

/** Those that are made of several servers first. */
function conformance(files: readonly string[], reached: readonly Reach[]): Unit[] {
  if (files.length === 0) return [];
  const names = reached.filter(({ missing }) => missing === undefined).map(({ backend }) => backend);
  const ordered = [...names.filter((name) => name.includes("-")), ...names.filter((name) => !name.includes("-"))];
  return ordered.map((name) => ({
    name: `conformance on ${name}`,
    files,
    env: { HOLDFAST_SUBJECTS: name },
    weight: 1,
  }));
}
