import assert from "node:assert/strict";
import { it } from "node:test";
import { connect } from "../../../src/entries/index.ts";
import type { Judgement } from "../../../src/backends/common/findings.ts";
import type { Row } from "../../support/sql/options.ts";
import { doctor, report } from "./doctor.ts";

/** A server that is set in some way: what is said of it, the gravest first, and what it keeps. */
export type Case<Account> = readonly [
  name: string,
  subject: Account,
  complaints: readonly RegExp[],
  durability: string,
];

interface Rules<Account> {
  judge(subject: Account): readonly Judgement[];
  durabilityOf(subject: Account): string;
}

/** One test for each case. */
export function judges<Account>({ judge, durabilityOf }: Rules<Account>, cases: readonly Case<Account>[]): void {
  for (const [name, subject, expected, durability] of cases) {
    it(name, () => {
      const found = complaints(judge(subject));
      assert.equal(found.length, expected.length, found.join("\n"));
      for (const [i, pattern] of expected.entries()) assert.match(found[i] ?? "", pattern);
      assert.equal(durabilityOf(subject), durability);
    });
  }
}

/** What is wrong or at risk, each with its remedy. */
export function complaints(judgements: readonly Judgement[]): string[] {
  return judgements
    .filter(({ level }) => level !== "fine")
    .map(({ level, what, refuses, remedy }) => {
      assert.notEqual(remedy, "");
      return `${level} ${refuses}: ${what}`;
    });
}

interface Stand {
  readonly url: string;
  /** What it is called, and how its version looks. */
  readonly backend: string;
  readonly version: RegExp;
  /** The tables that are there. */
  tables(): Promise<readonly Row[]>;
}

/** Asserts what is said of a server that flushes and has no tables yet, and that looking at it makes none. */
export async function findsNothingWrong({ url, backend, version, tables }: Stand): Promise<void> {
  const { code, said } = await report(url);
  assert.deepEqual([code, said.ok, said.backend], [0, true, backend], JSON.stringify(said.findings));
  assert.match(String(said.facts["server"]?.["version"]), version);
  assert.equal(said.facts["server"]?.["role"], "primary");
  assert.equal(said.capabilities.durability, "disk");
  assert.ok(said.findings.some(({ what }) => what === "no tables are there yet"));
  assert.equal(said.roundTrips[0]?.count, 50);
  assert.deepEqual(await tables(), []);

  const hf = await connect(url);
  await hf.state("orders").save("1", { paid: true });
  assert.equal(hf.capabilities.durability, "disk");
  await hf.close();
  const text = await doctor(url);
  assert.deepEqual([text.code, text.err], [0, ""]);
  for (const part of ["holdfast_records", "two holders of one lock", "nothing is set wrong"]) {
    assert.ok(text.out.includes(part), text.out);
  }
  assert.deepEqual(
    text.out.split("\n").filter((line) => line.length > 80),
    [],
  );
}
