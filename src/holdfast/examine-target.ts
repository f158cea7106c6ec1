import { toMs, type Duration } from "../base/durations.ts";
import { UnavailableError } from "../base/errors.ts";
import { space } from "../base/keys.ts";
import { quantilesOf } from "../base/quantiles.ts";
import { bounded } from "../client/index.ts";
import type { Backend, BackendDefinition, Capabilities, Examination, RoundTrips } from "../port/index.ts";
import { reach } from "./reach.ts";
import { closeOwn } from "./registry.ts";

/** Options of `examine`. */
export interface ExamineOptions {
  /** Bounds all of it. Default: `"15s"`. */
  readonly timeout?: Duration | undefined;
  /** More backends than those of this package, for a URL: the results of `defineBackend`. */
  readonly backends?: readonly BackendDefinition[] | undefined;
}

/** The result of `examine`. */
export interface Examined extends Examination {
  /** The backend's name, such as `"lmdb"`. */
  readonly backend: string;
}

const DEFAULT_TIMEOUT = 15_000;
/** How long before the timeout a backend must end by itself, in ms. */
const lastWord = 100;
/** How many reads are timed if the backend does not time any. */
const READS = 50;

/** The work of `examine`. */
export async function examineTarget(target: string | Backend, options: ExamineOptions = {}): Promise<Examined> {
  const timeout = options.timeout === undefined ? DEFAULT_TIMEOUT : toMs(options.timeout, "timeout");
  const reached = await reach(target, "the first argument", "all", options.backends);
  const { backend } = reached;
  try {
    const deadline = backend.time.monotonic() + timeout;
    const call = { signal: undefined, deadline };
    // The backend knows best what was not answered, and why: it gets a deadline that leaves time to say so.
    const own = deadline - Math.min(lastWord, timeout / 10);
    const examining = backend.examine?.({ deadline: own }) ?? examineOpened(backend, own);
    return { backend: backend.name, ...(await bounded(examining, call, backend.time, backend.name)) };
  } finally {
    await closeOwn([reached]);
  }
}

/** The examination of a backend that has none of its own. */
async function examineOpened(backend: Backend, deadline: number): Promise<Examination> {
  const { capabilities } = await backend.open();
  return {
    facts: [],
    capabilities,
    leavesOpen: leavesOpen(capabilities),
    findings: [],
    roundTrips: [await timeReads(backend, deadline)],
  };
}

function leavesOpen({ exclusion, durability, shared }: Capabilities): string[] {
  if (exclusion === "none") return ["Nothing is kept, and every lock is granted to everybody."];
  return [
    ...(shared === "process" ? ["Other processes see nothing of it."] : []),
    ...(durability === "none" ? ["What it holds ends with the process."] : []),
  ];
}

async function timeReads(backend: Backend, deadline: number): Promise<RoundTrips> {
  const session = backend.session();
  const key = { space: space("state", "", "doctor"), key: "doctor" };
  const took: number[] = [];
  try {
    for (let i = 0; i < READS && backend.time.monotonic() < deadline; i++) {
      const start = backend.time.monotonic();
      const [outcome] = await session.execute([{ ops: [{ op: "get", key }] }], { deadline, claim: () => true });
      if (outcome?.ok !== true) throw new UnavailableError("it could not be read", { backend: backend.name });
      took.push(backend.time.monotonic() - start);
    }
  } finally {
    await session.close();
  }
  return { to: "a read", ...quantilesOf(took) };
}
