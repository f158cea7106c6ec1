import * as fs from "node:fs";
import path from "node:path";
import { UnavailableError } from "../../base/errors.ts";
import { space } from "../../base/keys.ts";
import { sizeText } from "../../base/sizes.ts";
import type { Backend, Capabilities, Examination, Fact, RoundTrips } from "../../port/index.ts";
import { findingsOf, fine, risk, timed, unknown, wrong, type Judgement } from "../common/findings.ts";
import type { Speech } from "./engine.ts";

const reads = 50;
/** Below this a disk is as good as full, in bytes. */
const nearlyFull = 256 * 1024 * 1024;
const full = 8 * 1024 * 1024;

/** What an embedded backend says of its data, to those who run it. */
export interface Examined {
  readonly backend: Backend;
  readonly speech: Speech;
  readonly capabilities: Capabilities;
  readonly deadline: number;
  /** What was named, and the file in which the data is. */
  readonly path: string;
  readonly data: string;
  /** Whether a store is in there: it is opened only then, so that none is made. */
  readonly isMade: boolean;
  readonly leavesOpen: readonly string[];
  /** What else was learned, and what is to be said of it; asked once it is open. */
  more?(): { readonly facts: readonly Fact[]; readonly judgements: readonly Judgement[] };
}

export async function examineFiles(examined: Examined): Promise<Examination> {
  const { backend, speech, capabilities, path: named, data, isMade, leavesOpen } = examined;
  const group = speech.what;
  const size = fs.statSync(data, { throwIfNoEntry: false })?.size ?? 0;
  const free = freeOn(named);
  const facts: Fact[] = [
    { group, name: "path", value: named },
    { group, name: "data file", value: size, text: isMade ? sizeText(size) : "not made yet" },
  ];
  if (free !== undefined) facts.push({ group, name: "free on its disk", value: free, text: sizeText(free) });
  const judgements: Judgement[] = [];
  const roundTrips: RoundTrips[] = [];
  if (isMade) {
    await backend.open();
    roundTrips.push(await timeReads(examined));
    const more = examined.more?.();
    facts.push(...(more?.facts ?? []));
    judgements.push(...(more?.judgements ?? []));
  } else {
    const why = "the first service that connects makes it";
    judgements.push(unknown("no store is there yet", why, "see that this is the path you mean"));
  }
  if (free !== undefined) judgements.push(judgeDisk(free));
  return { facts, capabilities, leavesOpen, findings: findingsOf(judgements), roundTrips };
}

/** Of what is named, or of the nearest directory above it that is there. */
function freeOn(named: string): number | undefined {
  if (fs.existsSync(named)) {
    const { bavail, bsize } = fs.statfsSync(named);
    return bavail * bsize;
  }
  const above = path.dirname(named);
  return above === named ? undefined : freeOn(above);
}

function judgeDisk(free: number): Judgement {
  const what = `${sizeText(free)} free on the disk`;
  const remedy = "free space there, or choose another path";
  if (free < full) return wrong(what, "writes fail", remedy);
  if (free < nearlyFull) return risk(what, "writes fail when it is full", remedy);
  return fine(what, "there is room");
}

async function timeReads({ backend, speech, deadline }: Examined): Promise<RoundTrips> {
  const session = backend.session();
  const key = { space: space("state", "", "doctor"), key: "doctor" };
  const read = async (): Promise<void> => {
    const [outcome] = await session.execute([{ ops: [{ op: "get", key }] }], { deadline, claim: () => true });
    if (outcome?.ok !== true)
      throw new UnavailableError(`the ${speech.what} could not be read`, { backend: speech.name });
  };
  try {
    return await timed("a read", read, { most: reads, share: 1, time: backend.time, deadline });
  } finally {
    await session.close();
  }
}
