import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { connect } from "../../../src/entries/index.ts";
import { checkDeadlines, checkHistory, type Promised } from "./checks.ts";
import { runNemesis, type Deed } from "./nemesis.ts";
import { finalState } from "./workload.ts";

// HOLDFAST_SEED runs one seed again, HOLDFAST_ROUNDS more of them.
const first = Number(process.env["HOLDFAST_SEED"] ?? 1);

/** The seeds of a test that is run `rounds` times unless told. */
export function seeds(rounds: number): number[] {
  return Array.from({ length: Number(process.env["HOLDFAST_ROUNDS"] ?? rounds) }, (_, i) => first + i);
}

export interface Round {
  /** Where the state is read from at the end; the workers connect there unless `place` says otherwise. */
  readonly url: string;
  readonly place?: (place: number) => string;
  readonly seed: number;
  readonly deeds: readonly Deed[];
  /** ms of a lease. */
  readonly ttl: number;
  /** ms that a call on the store may take. */
  readonly timeout: number;
  /** Whether all calls are measured by their deadlines, with that much slack in ms. Not where callers are stopped. */
  readonly slack?: number;
  readonly promised?: Promised;
}

const size = { registers: 8, locks: 4 };

/** Four processes work on one store while deeds are done to it and to them; fails on any violation of the contract. */
export async function runRound(t: TestContext, round: Round): Promise<void> {
  const { url, seed, deeds, ttl, timeout, slack, promised } = round;
  const directory = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
  try {
    const logs = join(directory, "logs");
    mkdirSync(logs);
    const place = round.place ?? (() => url);
    const history = await runNemesis({ ...size, url: place, logs, seed, processes: 4, fibers: 4, deeds, ttl, timeout });
    const hf = await connect(url, { service: "chaos", timeout: "10s" });
    const final = await finalState(hf, size);
    await hf.close();
    const { calls, holds, writes } = history;
    const unknown = calls.filter(({ outcome }) => outcome.is === "unknown" || outcome.is === "failed").length;
    t.diagnostic(
      `${calls.length} calls (${unknown} failed or unknown), ${holds.length} holds, ${writes.length} guarded writes`,
    );
    assert.ok(calls.length > 100 && holds.length > 10, "the processes did nothing");
    assert.deepEqual(checkHistory(history, final, promised), []);
    if (slack !== undefined) assert.deepEqual(checkDeadlines(history, timeout, slack), []);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
