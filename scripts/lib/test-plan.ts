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

interface Heavy {
  /** Matches the names of files from `tests/` on. */
  readonly files: RegExp;
  readonly weight: number;
}

/**
 * Files that are no light work, in the order in which they begin, before all others: whichever needs room later waits for it until the
 * light ones are over, and is alone then. A file is of the first kind that it matches.
 */
const heavy: readonly Heavy[] = [
  { files: /^package\/conformance/, weight: 3 },
  // It installs for long, and others of the package wait for that.
  { files: /^package\/own-transaction/, weight: 1 },
  { files: /^chaos\//, weight: 3 },
  { files: /^state\/processes/, weight: 2 },
  { files: /^each\/(?:lost|command|shared-store)/, weight: 2 },
  { files: /^backends\/[^/]+\/faults\//, weight: 2 },
  { files: /^package\//, weight: 2 },
];

/**
 * What runs side by side. The conformance suites are a unit for each backend, each other file is one. Light work, the longest first,
 * fills what room the heavy leaves.
 */
export function planOf(files: readonly string[], reached: readonly Reach[]): Unit[] {
  const suites = files.filter((file) => file.startsWith("conformance/"));
  const others = files.filter((file) => !file.startsWith("conformance/"));
  const kindOf = (file: string): Heavy | undefined => heavy.find((one) => one.files.test(file));
  const of = (kind: Heavy | undefined): Unit[] =>
    others
      .filter((file) => kindOf(file) === kind)
      .map((file) => ({ name: file, files: [file], weight: kind?.weight ?? 1 }));
  const isDoctor = ({ name }: Unit): number => Number(name.startsWith("doctor/"));
  const light = of(undefined).toSorted((a, b) => isDoctor(b) - isDoctor(a));
  return [...heavy.flatMap(of), ...conformance(suites, reached), ...light];
}

/** Backends whose suites wait for long, and would be alone at the end. */
const slow: ReadonlySet<string> = new Set(["store", "etcd35", "nats"]);

/** The slow ones first, then those that are made of several servers. */
function conformance(files: readonly string[], reached: readonly Reach[]): Unit[] {
  if (files.length === 0) return [];
  const names = reached.filter(({ missing }) => missing === undefined).map(({ backend }) => backend);
  const rank = (name: string): number => (slow.has(name) ? 0 : name.includes("-") ? 1 : 2);
  return names
    .toSorted((a, b) => rank(a) - rank(b))
    .map((name) => ({
      name: `conformance on ${name}`,
      files,
      env: { HOLDFAST_SUBJECTS: name },
      weight: 1,
    }));
}
