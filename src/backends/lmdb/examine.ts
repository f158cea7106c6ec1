import * as fs from "node:fs";
import path from "node:path";
import { UnavailableError } from "../../base/errors.ts";
import { space } from "../../base/keys.ts";
import { quantilesOf } from "../../base/quantiles.ts";
import { sizeText } from "../../base/sizes.ts";
import type { Backend, Capabilities, Examination, Fact, Finding, RoundTrips } from "../../port/index.ts";

const reads = 50;
/** Below this a disk is as good as full, in bytes. */
const nearlyFull = 256 * 1024 * 1024;
const full = 8 * 1024 * 1024;

const leavesOpen = [
  "All its processes must be in one container (pid namespace); another one is refused while they have it open.",
  "It is one machine's: what is lost with its disk is lost.",
  "A process that is stopped inside a commit, or while it opens the directory, stalls every " +
    "writer until it goes on or dies; their calls end by their timeout.",
];

/** What can be said of a directory. It is opened only where there is a store in it, so that none is made. */
export async function examineDirectory(
  backend: Backend,
  directory: string,
  capabilities: Capabilities,
  deadline: number,
): Promise<Examination> {
  const data = fs.statSync(path.join(directory, "data.mdb"), { throwIfNoEntry: false });
  const disk = diskOf(directory);
  const facts: Fact[] = [
    { group: "directory", name: "path", value: directory },
    {
      group: "directory",
      name: "data file",
      value: data?.size ?? 0,
      text: data ? sizeText(data.size) : "not made yet",
    },
  ];
  if (disk) facts.push({ group: "directory", name: "free on its disk", value: disk.free, text: sizeText(disk.free) });
  const findings: Finding[] = [];
  const roundTrips: RoundTrips[] = [];
  if (data) {
    await backend.open();
    roundTrips.push(await timeReads(backend, deadline));
  } else {
    const why = "the first service that connects makes it";
    findings.push({
      level: "unknown",
      what: "no store is there yet",
      why,
      remedy: "see that this is the path you mean",
    });
  }
  if (disk) findings.push(judgeDisk(disk.free));
  return { facts, capabilities, leavesOpen, findings, roundTrips };
}

/** Of the directory, or of the nearest one above it that is there. */
function diskOf(directory: string): { readonly free: number } | undefined {
  if (fs.existsSync(directory)) {
    const { bavail, bsize } = fs.statfsSync(directory);
    return { free: bavail * bsize };
  }
  const above = path.dirname(directory);
  return above === directory ? undefined : diskOf(above);
}

function judgeDisk(free: number): Finding {
  const what = `${sizeText(free)} free on the disk`;
  const remedy = "free space there, or choose another path";
  if (free < full) return { level: "wrong", what, why: "writes fail", remedy };
  if (free < nearlyFull) return { level: "risk", what, why: "writes fail when it is full", remedy };
  return { level: "fine", what, why: "there is room", remedy: "" };
}

async function timeReads(backend: Backend, deadline: number): Promise<RoundTrips> {
  const { time } = backend;
  const session = backend.session();
  const key = { space: space("state", "", "doctor"), key: "doctor" };
  const took: number[] = [];
  try {
    while (took.length < reads && time.monotonic() < deadline) {
      const start = time.monotonic();
      const [outcome] = await session.execute([{ ops: [{ op: "get", key }] }], { deadline, claim: () => true });
      if (outcome?.ok !== true) throw new UnavailableError("the directory could not be read", { backend: "lmdb" });
      took.push(time.monotonic() - start);
    }
  } finally {
    await session.close();
  }
  return { to: "a read", ...quantilesOf(took) };
}
