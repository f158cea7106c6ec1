import { InvalidArgumentError } from "../../base/errors.ts";
import { leastContent } from "./promises.ts";
import type { Cell, Read, Store } from "./store.ts";

/** Each has an engine of its own. */
const mostServers = 1_024;
const clocks: ReadonlySet<unknown> = new Set(["server", "client", "none"]);

/**
 * The store, with a clear error in place of an answer that is none: a cell that is left out of an answer must not count
 * as absent. Throws InvalidArgumentError for a store that declares what cannot be.
 */
export function checked(store: Store, backend: string): Store {
  checkDeclared(store, backend);
  const { atomic, declares, messages, scan, servers, watch, examine } = store;
  return {
    atomic,
    declares,
    ...(servers && { servers: { count: servers.count, of: (cell) => servers.of(cell) } }),
    ...(messages && { messages }),
    ...(examine && { examine: async (limit) => examine.call(store, limit) }),
    ...(watch && { watch: async (prefix, listener) => watch.call(store, prefix, listener) }),
    ...(scan && {
      scan: async (range, limit) => {
        const keys: unknown = await scan.call(store, range, limit);
        const { prefix, after, most } = range;
        // A scan that begins anew each time would never end.
        const isKey = (key: unknown): boolean => typeof key === "string" && key.startsWith(prefix) && key !== after;
        if (Array.isArray(keys) && keys.length <= most && keys.every(isKey)) return keys as string[];
        throw wrong("scan", `at most ${most} keys that begin with the prefix, from behind \`after\``);
      },
    }),
    async open(limit) {
      const opened = await store.open(limit);
      if (typeof opened?.domain !== "string" || opened.domain === "") throw wrong("open", "an object with a domain");
      checkDeclared({ atomic, declares: { ...declares, ...opened.declares } }, backend);
      return opened;
    },
    async read(keys, limit) {
      const read = await store.read(keys, limit);
      checkRead(read, keys.length, declares.clock);
      return read;
    },
    async commit(transactions, limit) {
      const answers: unknown = await store.commit(transactions, limit);
      if (Array.isArray(answers) && answers.length === transactions.length) return answers.map(answerOf);
      throw wrong("commit", `an array of ${transactions.length} answers, one for each transaction`);
    },
    close: async () => store.close(),
  };
}

function checkDeclared({ atomic, declares, servers }: Partial<Store>, backend: string): void {
  const { clock, guard, maxContent, mostCells, mostRead } = declares ?? {};
  const atLeast = (value: unknown, least: number): boolean => typeof value === "number" && value >= least;
  let wrong: string | undefined;
  if (atomic !== "one" && atomic !== "any") wrong = '`atomic` must be "one" or "any"';
  else if (!clocks.has(clock)) wrong = '`declares.clock` must be "server", "client" or "none"';
  else if (guard !== undefined && guard !== "floor" && (guard !== "none" || atomic !== "one")) {
    wrong = '`declares.guard` must be "floor" or "none", and is for `atomic: "one"`';
  } else if (!atLeast(maxContent, leastContent)) wrong = `\`declares.maxContent\` must be ${leastContent} or more`;
  else if (servers !== undefined && (atomic !== "one" || !atLeast(servers.count, 1) || servers.count > mostServers)) {
    wrong = `\`servers\` are at most ${mostServers}, and for \`atomic: "one"\``;
  } else if (mostCells !== undefined && !atLeast(mostCells, 8)) wrong = "`declares.mostCells` must be 8 or more";
  else if (mostRead !== undefined && !atLeast(mostRead, 1)) wrong = "`declares.mostRead` must be 1 or more";
  if (wrong !== undefined) throw new InvalidArgumentError(`the store of ${backend}: ${wrong}`, { backend });
}

function checkRead(read: Partial<Read> | undefined, count: number, clock: Store["declares"]["clock"]): void {
  const cells: unknown = read?.cells;
  if (!Array.isArray(cells) || cells.length !== count || !cells.every(isCell)) {
    throw wrong(
      "read",
      `an array of ${count} cells, one for each key: each undefined, its content and its revision, or an error`,
    );
  }
  if (clock === "server" && !Number.isFinite(read?.now)) throw wrong("read", "the server's time as `now`");
  if (clock === "none" && !Number.isSafeInteger(read?.order)) throw wrong("read", "a whole number as `order`");
}

function isCell(cell: Partial<Cell> | Error | undefined): boolean {
  if (cell === undefined || cell instanceof Error) return true;
  return cell !== null && cell.content instanceof Uint8Array && isRevision(cell.revision);
}

function isRevision(revision: unknown): boolean {
  return typeof revision === "string" || typeof revision === "number" || typeof revision === "bigint";
}

function answerOf(answer: unknown): boolean | [] | Error {
  if (typeof answer === "boolean" || answer instanceof Error) return answer;
  if (Array.isArray(answer) && answer.every((one) => one === undefined || isRevision(one))) return answer as [];
  return wrong("commit", "a boolean, revisions or an error for each transaction");
}

const wrong = (call: string, expected: string): Error => new TypeError(`the store's \`${call}\` must give ${expected}`);
