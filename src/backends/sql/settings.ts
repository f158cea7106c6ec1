import type { Time } from "../../base/time.ts";
import type { Capabilities, Examination, Fact } from "../../port/index.ts";
import { findingsOf, fine, risk, timed, type Judgement } from "../common/findings.ts";
import { SqlError, type Reply, type SqlClient, type Statement } from "./client.ts";
import { failureOf } from "./failures.ts";

/** What asks a server what it is, within one deadline. */
export interface Asking {
  readonly client: SqlClient;
  /** The backend's name. */
  readonly backend: string;
  readonly time: Time;
  /** A moment of `time.monotonic()`. */
  readonly deadline: number;
}

/** The rows of the reply. Rejects with a HoldfastError. */
export async function rowsOf(text: string, { client, backend, deadline }: Asking): Promise<Reply["rows"]> {
  const statement: Statement = { text, values: [] };
  try {
    return (await client.read(statement, { deadline })).rows;
  } catch (error) {
    throw failureOf(error, backend);
  }
}

/** The rows of the reply, or undefined where the server refuses the statement. Rejects with a HoldfastError. */
export async function rowsIfAllowed(text: string, asking: Asking): Promise<Reply["rows"] | undefined> {
  try {
    return (await asking.client.read({ text, values: [] }, asking)).rows;
  } catch (error) {
    if (error instanceof SqlError && error.failure === "refused") return undefined;
    throw failureOf(error, asking.backend);
  }
}

/** How often the server is pinged. */
const pings = 50;

/** What an examination says, and how quickly the server answers. */
export async function examinationOf(
  found: {
    readonly facts: readonly Fact[];
    readonly capabilities: Capabilities;
    readonly leavesOpen: readonly string[];
    readonly judgements: readonly Judgement[];
  },
  asking: Asking,
): Promise<Examination> {
  const { judgements, ...rest } = found;
  const ping = async (): Promise<unknown> => rowsOf("SELECT 1", asking);
  const { time, deadline } = asking;
  const roundTrips = [await timed("the server", ping, { most: pings, share: 0.8, time, deadline })];
  return { ...rest, findings: findingsOf(judgements), roundTrips };
}

/** One thing that was learned, where it was. */
export function fact(group: string, name: string, value: Fact["value"] | undefined, text?: string): Fact[] {
  return value === undefined ? [] : [{ group, name, value, ...(text !== undefined && { text }) }];
}

/** A reading of a server's clock: how far it is ahead of this machine's, in ms, and how exactly that is known. */
export interface ClockReading {
  readonly aheadMs: number;
  readonly errorMs: number;
}

/** Reads a clock: `ask` gives the server's ms since 1970. */
export async function readClock(ask: () => Promise<number>, time: Time): Promise<ClockReading> {
  const sentAt = time.monotonic();
  const sent = time.wall();
  const there = await ask();
  const took = time.monotonic() - sentAt;
  return { aheadMs: there - (sent + took / 2), errorMs: took / 2 };
}

/** What the clock says, for people. */
export function clockFact({ aheadMs, errorMs }: ClockReading): Fact[] {
  const sign = aheadMs < 0 ? "-" : "+";
  const text = `${sign}${Math.abs(aheadMs).toFixed(1)}, give or take ${errorMs.toFixed(1)}`;
  return fact("clock", "difference ms", Math.round(aheadMs * 1_000) / 1_000, text);
}

/** Fewer connections than this are not enough for a service that starts anew beside the old one. */
const few = 20;

/** Whether enough connections are left. */
export function judgeLeft(left: number, remedy: string): Judgement {
  if (left >= few) return fine("connections", `${left} are left`);
  const what = "a process that starts may get none; each process takes up to 8, fewer with maxConnections";
  return risk(`${left} connections left`, what, remedy);
}

/**
 * What a server does not promise: a sentence each. `powerCut`: what happens then, with this durability; `awaited`: what
 * a failover loses where commits wait for another server.
 */
export function leavesOpenOf(
  durability: Capabilities["durability"],
  { powerCut, awaited }: { readonly powerCut: string; readonly awaited: string | undefined },
): string[] {
  return [
    ...(durability === "none"
      ? ["A server that crashes and comes back has lost acknowledged writes and locks that were held."]
      : durability === "process"
        ? [powerCut]
        : []),
    awaited ??
      "Replication, where there is any, is asynchronous. A primary that dies before it has replicated loses what " +
        "it acknowledged last; the one that takes over may not know of a lock, and grants it again while its first " +
        "holder goes on.",
    "A primary that is cut off and not stopped goes on acknowledging to whoever still reaches it; those writes are " +
      "lost.",
    "Fences rise with the server's clock where a lock's row was lost: one that is behind may grant a lower one.",
    "A server that is restored from a backup knows the locks and records of that time.",
  ];
}
