import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { each, type EachOptions, type EachSummary, type Handler } from "../../src/entries/each.ts";
import { connect, type Holdfast } from "../../src/entries/index.ts";
import { memory } from "../../src/entries/memory.ts";
import { misbehavingBackend, type Fault } from "../../src/entries/testing.ts";

/** The source of the command. */
export const cli = path.resolve(import.meta.dirname, "../../src/cli/main.ts");

/** A folder that is removed with the test. */
export function folderFor(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-each-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A fresh store in this process, closed with the test. */
export async function memoryFor(t: TestContext): Promise<Holdfast> {
  const hf = await connect("memory:");
  t.after(() => hf.close());
  return hf;
}

export interface Line {
  readonly id: number;
  readonly account: string;
  readonly amount: number;
}

/** Lines for so many accounts, the same each time. */
export function makeLines(count: number, accounts: number): Line[] {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  return Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    account: `a${random(accounts)}`,
    amount: random(1_000),
  }));
}

export function writeLines(file: string, lines: readonly unknown[]): string {
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
}

export function readLines(file: string): unknown[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

/** What an account has come to; the chain tells in which order its items came. */
export interface Account {
  readonly balance: number;
  readonly items: number;
  readonly chain: number;
}

export function book(account: Account | undefined, { id, amount }: Line): Account {
  const { balance, items, chain } = account ?? { balance: 0, items: 0, chain: 7 };
  return { balance: balance + amount, items: items + 1, chain: (chain * 31 + id) % 1_000_003 };
}

/** The accounts after a serial run. */
export function serial(lines: readonly Line[]): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const line of lines) accounts.set(line.account, book(accounts.get(line.account), line));
  return accounts;
}

/** Everything in the store `accounts`. */
export async function accountsOf(hf: Holdfast): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>();
  for await (const { key, value } of hf.state<Account>("accounts").list()) accounts.set(key, value);
  return accounts;
}

/** The same entries, in one order. */
export function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** What a group comes to that could not be sent. */
export const away = { ok: false, why: "failed", sent: false, error: new Error("away") } as const;

/** A store that may misbehave, and a job of lines on it. */
export interface Bench {
  readonly hf: Holdfast;
  readonly folder: string;
  readonly input: string;
  /** One job, by account and without retries unless told. */
  run(handler: Handler<Line>, options?: EachOptions): Promise<EachSummary>;
}

/** A fresh store in this process that gives up after 300 ms, closed with the test. */
export async function benchFor(
  t: TestContext,
  lines: readonly Line[],
  fault: Fault = { name: "none" },
): Promise<Bench> {
  const hf = await connect(misbehavingBackend(memory(), fault), { timeout: "300ms" });
  t.after(() => hf.close());
  const folder = folderFor(t);
  const input = writeLines(path.join(folder, "lines.jsonl"), lines);
  const run: Bench["run"] = (handler, options) =>
    each<Line>(input, handler, { store: hf, job: "job", key: "account", retries: 0, ...options });
  return { hf, folder, input, run };
}
