// The one command that proves the repository: `npm test`. Static checks first, while servers are fetched, then all tests side by side,
// with one summary as the last thing printed. `node scripts/test.ts unit|package|chaos|kills` runs a part, without the static checks.
// With HOLDFAST_REQUIRE_BACKENDS=1 a backend that cannot be reached is a failure.
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { reachBackends, tellProcesses, type Reach } from "./lib/backends.ts";
import { runUnits } from "./lib/run-tests.ts";
import { root, run } from "./lib/run.ts";
import { planOf } from "./lib/test-plan.ts";

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const build: Step = { name: "build", command: "node", args: ["scripts/build.ts"] };
/** Checked beside the others, for one process does it all. */
const format: Step = { name: "format", command: "prettier", args: ["--check", "--log-level", "warn", "."] };
const staticChecks: readonly Step[] = [
  { name: "typecheck", command: "tsc", args: ["--noEmit"] },
  { name: "lint", command: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "imports", command: "node", args: ["scripts/check-imports.ts"] },
  build,
  { name: "exports", command: "node", args: ["scripts/check-exports.ts"] },
  { name: "generated", command: "node", args: ["scripts/generate.ts", "--check"] },
  { name: "package", command: "node", args: ["scripts/check-package.ts"] },
];

interface Suite {
  /** Steps that follow one another, beside those of the other lists. */
  readonly steps: readonly (readonly Step[])[];
  /** Whether a file, named from `tests/` on, belongs to it. */
  readonly includes: (file: string) => boolean;
  /** Settings of the tests, unless the environment has others. */
  readonly settings?: Readonly<Record<string, string>>;
}

const isPackage = (file: string): boolean => file.startsWith("package/");
const isChaos = (file: string): boolean => file.startsWith("chaos/");

const suites: Readonly<Record<string, Suite>> = {
  all: { steps: [[format], staticChecks], includes: () => true },
  unit: { steps: [], includes: (file) => !isPackage(file) && !isChaos(file) },
  package: { steps: [[build]], includes: isPackage },
  chaos: { steps: [[build]], includes: isChaos },
  kills: {
    steps: [[build]],
    includes: (file) => file === "chaos/kills.test.ts",
    settings: { HOLDFAST_KILLS: "5000", HOLDFAST_OPENS: "100000" },
  },
};

async function main(name: string): Promise<number> {
  const suite = suites[name];
  if (!suite) {
    console.error(`unknown part "${name}", known are ${Object.keys(suites).join(", ")}`);
    return 2;
  }
  for (const [setting, value] of Object.entries(suite.settings ?? {})) process.env[setting] ??= value;
  // What is fetched comes meanwhile.
  const [reached, ...failed] = await Promise.all([
    reachBackends({ install: console.log }),
    ...suite.steps.map(async (steps) => follow(steps)),
  ]);
  const names = failed.flatMap((step) => step?.name ?? []);
  if (names.length > 0) {
    console.error(`== FAILED, and no test ran: ${names.join(", ")}`);
    return 1;
  }
  if (!report(reached)) return 1;
  tellProcesses(reached);

  const files = testFiles().filter(suite.includes);
  if (files.length === 0) {
    console.error(`no tests in part "${name}"`);
    return 1;
  }
  const units = planOf(files, reached);
  // In halves of a processor: most tests wait for servers and clocks half of the time.
  const capacity = Math.max(2, 2 * availableParallelism());
  console.log(`== tests (${files.length} files in ${units.length} units, side by side)`);
  return runUnits(units, capacity, { test: 600_000, file: 1_200_000 });
}

function testFiles(): string[] {
  return readdirSync(path.join(root, "tests"), { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll(path.sep, "/"))
    .filter((file) => file.endsWith(".test.ts"))
    .toSorted();
}

/** Runs one after the other until one fails, which it gives. */
async function follow(steps: readonly Step[]): Promise<Step | undefined> {
  for (const step of steps) if ((await timed(step)) !== 0) return step;
  return undefined;
}

async function timed(step: Step): Promise<number> {
  console.log(`== ${step.name}`);
  const start = performance.now();
  const code = await run(step.command, step.args);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`== ${step.name}: ${code === 0 ? "ok" : `FAILED with ${code}`} in ${seconds} s`);
  return code;
}

/** Says which backends the tests run on. False when one is missing that has to be there. */
function report(reached: readonly Reach[]): boolean {
  const missing = reached.filter(({ missing: reason, optional }) => reason !== undefined && optional !== true);
  const names = reached
    .filter((backend) => backend.missing === undefined)
    .map(({ backend, version }) => (version === undefined ? backend : `${backend} ${version}`));
  console.log(
    `== backends: running on ${names.join(", ")}; ${missing.length === 0 ? "none is missing" : "NOT REACHED:"}`,
  );
  for (const { backend, missing: reason } of missing) console.log(`   ${backend}: ${reason}`);
  const more = reached.flatMap(({ server, missing: reason, optional }) =>
    optional === true && reason !== undefined ? `${server}: ${reason}` : [],
  );
  for (const line of new Set(more)) console.log(`   tested too where it is there: ${line}`);
  const faults = reached.flatMap((one) => (one.faults && one.missing === undefined ? (one.server ?? one.backend) : []));
  console.log(
    `   the suite of the port and the models run on each of them; those of state, cache and locks are left out on what differs below ` +
      "the port alone (HOLDFAST_SUITES=all: on all)",
  );
  console.log(
    `   the tests of faults run on ${[...new Set(faults)].join(", ") || "none"} (HOLDFAST_FAULTS=all: on all)`,
  );
  return missing.length === 0 || process.env["HOLDFAST_REQUIRE_BACKENDS"] !== "1";
}

process.exitCode = await main(process.argv[2] ?? "all");
