import { existsSync, statSync } from "node:fs";
import { sizeText } from "../../base/sizes.ts";
import type { Backend, Capabilities, Examination, Fact } from "../../port/index.ts";
import { fine, risk, type Judgement } from "../common/findings.ts";
import { examineFiles } from "../machine/examine.ts";
import { loadDriver, type Driver } from "./driver.ts";
import { speech } from "./failures.ts";

const leavesOpen = [
  "It is one machine's: what is lost with its disk is lost.",
  "A program that holds a transaction which writes to the file, or a process that is stopped inside a commit, stalls " +
    "every writer until it goes on or dies; their calls end by their timeout.",
  "What a killed process held is free at once for those of its own container (pid namespace); others wait until its " +
    "lease ends.",
  "A program that goes on reading from one snapshot keeps the log of writes from beginning anew: it grows until then.",
];

/** A log of writes that is longer than this could not begin anew for long, in bytes. */
const longLog = 128 * 1024 * 1024;

/** What can be said of a file. Rejects where it is no database. */
export async function examineFile(
  backend: Backend,
  file: string,
  prefix: string,
  capabilities: Capabilities,
  deadline: number,
): Promise<Examination> {
  const driver = await loadDriver();
  const version = versionOf(driver, file, prefix);
  return examineFiles({
    backend,
    speech,
    capabilities,
    deadline,
    path: file,
    data: file,
    isMade: version !== undefined,
    leavesOpen,
    more: () => judgeLog(driver, version ?? "", `${file}-wal`),
  });
}

/** SQLite's version, where our tables are in the file. */
function versionOf(driver: Driver, file: string, prefix: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const connection = driver.open(file, true);
    try {
      const row = connection
        .prepare("SELECT sqlite_version() AS version FROM sqlite_schema WHERE type = 'table' AND name = ?")
        .get(`${prefix}meta`);
      return row?.["version"] as string | undefined;
    } finally {
      connection.close();
    }
  } catch (error) {
    throw speech.explain(error as Error);
  }
}

function judgeLog(
  driver: Driver,
  version: string,
  log: string,
): { readonly facts: readonly Fact[]; readonly judgements: readonly Judgement[] } {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const group = speech.what;
  const facts: readonly Fact[] = [
    { group, name: "log of writes", value: size, text: sizeText(size) },
    { group, name: "SQLite", value: version, text: `${version}, by ${driver.name}` },
  ];
  const what = `${sizeText(size)} in the log of writes`;
  if (size <= longLog) return { facts, judgements: [fine(what, "it begins anew in time")] };
  const why = "a program reads from one snapshot for long, and the log grows until it ends";
  return { facts, judgements: [risk(what, why, "find out who has the file open, and end its transaction")] };
}
