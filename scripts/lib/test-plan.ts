import type { Reach } from "./backends.ts";

/** Files that run one after the other, beside other units. */
export interface Unit {
  readonly name: string;
  /** From `tests/` on. */
  readonly files: readonly string[];
  /** Settings of its processes beside those of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Eighths of a processor that it keeps busy. */
  readonly weight: number;
}

interface Kind {
  /** Matches the names of units: of files from `tests/` on, and of suites "conformance/lock.test.ts on redis". */
  readonly units: RegExp;
  readonly weight: number;
}

/**
 * What the units are, in the order in which they begin. Only the first is long enough to be waited for at the end, and what takes all
 * of the machine that it gets comes before what waits: of what takes half of it, one runs at a time beside such.
 */
const kinds: readonly Kind[] = [
  { units: /^package\/conformance/, weight: 6 },
  { units: /^chaos\/(?:kills|machine)\./, weight: 8 },
  { units: /^backends\/[^/]+\/faults\/(?:server|cluster|sentinel|crashes|pgbouncer|commits)\./, weight: 8 },
  { units: /^chaos\/holders/, weight: 4 },
  { units: /^state\/processes/, weight: 4 },
  { units: /^each\/(?:lost|command|shared-store)/, weight: 4 },
  { units: /^(?:package|chaos|backends\/[^/]+\/faults)\//, weight: 4 },
  // These wait for their clocks as often as they work. Of threads and their own processes some have more to do.
  { units: /^conformance\/.* on (?:lmdb|sqlite)$/, weight: 6 },
  { units: /^conformance\//, weight: 4 },
  { units: /^doctor\//, weight: 2 },
  // These are over before they wait for anything.
  { units: /^/, weight: 4 },
];

/**
 * What runs side by side: each test file, and each of the conformance suites on each backend. What is long begins first, so that the
 * short ones fill the room at the end.
 */
export function planOf(files: readonly string[], reached: readonly Reach[]): Unit[] {
  const names = reached.filter(({ missing }) => missing === undefined).map(({ backend }) => backend);
  const units = files.flatMap((file) =>
    file.startsWith("conformance/")
      ? names.map((name) => ({ name: `${file} on ${name}`, files: [file], env: { HOLDFAST_SUBJECTS: name } }))
      : [{ name: file, files: [file] }],
  );
  const kindOf = ({ name }: { readonly name: string }): Kind => kinds.find((one) => one.units.test(name)) as Kind;
  return kinds.flatMap((kind) =>
    units.filter((unit) => kindOf(unit) === kind).map((unit) => ({ ...unit, weight: kind.weight })),
  );
}
