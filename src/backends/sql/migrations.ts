import { UnsupportedError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import type { TablesMade } from "../../port/index.ts";
import type { Reply, Statement } from "./client.ts";
import { literal, type TableKind, type TableNames } from "./identifiers.ts";

/**
 * The tables of one store, for one dialect: how they are looked at, and how they are made. Every statement may be run
 * again, by many at once, and after a kill at any place.
 */
export interface TablePlan {
  /** The backend's name, for errors. */
  readonly backend: string;
  readonly names: TableNames;
  /** The first to the last; those of a version follow on those of the one before. Never change what was published. */
  readonly versions: readonly TableVersion[];
  /**
   * A row for each of our tables that is there: its name, with the prefix. Where there are none a row of NULL, and no
   * row where there is no such schema.
   */
  readonly look: string;
  /** Whether `holdfast migrate` makes them, apart from who opens them. */
  readonly migrates: boolean;
  /** Where the server can: waits until nobody else makes these tables, until the end of the transaction. */
  readonly turn: readonly string[];
  /** Writes a row of meta unless it is there. Literals of SQL. */
  keep(name: string, value: string): string;
  /** Writes a number to a row of meta, or leaves a higher one there. Literals of SQL. */
  put(name: string, value: number): string;
}

export interface TableVersion {
  /** Those that it adds. */
  readonly tables: readonly TableKind[];
  readonly statements: readonly string[];
  /** The oldest version whose code can go on with these tables, as instances do that are not replaced yet. */
  readonly worksFor: number;
}

/**
 * What asks a server for something: each step is statements that are run in order, as one trip if the runner can, and
 * goes on with their replies. Runners may be synchronous.
 */
export type Steps<T> = Generator<readonly Statement[], T, readonly Pick<Reply, "rows">[]>;

/** What is there. */
export interface TableState {
  /** The version of the tables; 0 where there are none, or they were not finished. */
  readonly version: number;
  /** Undefined where it was not drawn yet. */
  readonly domain: string | undefined;
  /** Tables of ours that are not there, of those that there should be at the newest version. */
  readonly missing: readonly TableKind[];
}

/** What {@link makeTables} did. */
export interface Made {
  readonly domain: string;
  readonly report: TablesMade;
}

/** What {@link lookAtTables} finds, as the id of the data; undefined where tables are to be made. */
export function domainOf(plan: TablePlan, { version, domain, missing }: TableState): string | undefined {
  return version >= plan.versions.length && missing.length === 0 ? domain : undefined;
}

/** With their number, for a session of an application may be told to give fewer rows. */
const wanted = "('schema', 'works_for', 'domain') LIMIT 3";

/** Looks what is there; changes nothing. Throws UnsupportedError where the tables are newer than this code. */
export function* lookAtTables(plan: TablePlan): Steps<TableState> {
  const { names, versions } = plan;
  let missing = yield* missingTables(plan);
  if (missing.includes("meta")) return { version: 0, domain: undefined, missing };
  const [meta] = yield [statement(`SELECT name, value FROM ${names.meta} WHERE name IN ${wanted}`)];
  const told = new Map(meta?.rows.map(([name, value]) => [textOf(name), textOf(value)]));
  const version = Number(told.get("schema") ?? 0);
  if (Number(told.get("works_for") ?? 0) > versions.length) throw tooNew(plan, version);
  // Somebody else may have made them since: where the server commits each statement by itself, all are there before
  // their version is.
  if (missing.length > 0) missing = yield* missingTables(plan);
  return { version, domain: told.get("domain"), missing };
}

function* missingTables(plan: TablePlan): Steps<readonly TableKind[]> {
  const [found] = yield [statement(plan.look)];
  if (found?.rows.length === 0) throw nowhere(plan);
  const there = new Set(found?.rows.map(([name]) => textOf(name)));
  return plan.versions.flatMap(({ tables }) => tables).filter((kind) => !there.has(plan.names.plain(kind)));
}

/**
 * Makes what is missing, and says what it did. It runs in one transaction, which the runner begins and commits; where
 * the server commits each statement by itself, the last one to be written is the version. `again`: also makes tables
 * that were dropped since. Throws UnsupportedError.
 */
export function* makeTables(plan: TablePlan, again: boolean): Steps<Made> {
  if (plan.turn.length > 0) yield plan.turn.map(statement);
  const before = yield* lookAtTables(plan);
  const { version, missing } = before;
  const place = shownPlace(plan);
  const whole = domainOf(plan, before);
  if (whole !== undefined) return { domain: whole, report: { place, from: version, to: version, again: [] } };
  // Tables of a version that was finished do not go by themselves. Empty ones in their place would hide a loss.
  const dropped = plan.versions
    .slice(0, version)
    .flatMap(({ tables }) => tables.filter((one) => missing.includes(one)));
  if (dropped.length > 0 && !again) throw gone(plan, dropped);
  const steps = plan.versions.slice(dropped.length > 0 ? 0 : version).flatMap(({ statements }) => statements);
  if (steps.length > 0) yield steps.map(statement);
  const made = yield* lookAtTables(plan);
  if (made.missing.length > 0) throw inTheWay(plan, made);
  yield marks(plan).map(statement);
  const after = yield* lookAtTables(plan);
  const domain = domainOf(plan, after);
  if (domain === undefined) throw new UnsupportedError("the server does not keep what was just written", context(plan));
  return {
    domain,
    report: { place, from: version, to: after.version, again: dropped.map((kind) => shownTable(plan, kind)) },
  };
}

/** Every statement that makes the tables from nothing, for somebody else to run. */
export function printedStatements(plan: TablePlan): string[] {
  return [...plan.versions.flatMap(({ statements }) => statements), ...marks(plan)];
}

/** What is written once all tables are there. */
function marks({ versions, keep, put }: TablePlan): string[] {
  return [
    keep("domain", literal(drawId())),
    put("works_for", versions.at(-1)?.worksFor ?? 1),
    put("schema", versions.length),
  ];
}

/** Tables are to be made, and `migrate: "check"` forbids it here. */
export function notMade(plan: TablePlan, { version, missing }: TableState): UnsupportedError {
  const what =
    version === 0
      ? `the tables of ${shownPlace(plan)} are not made yet`
      : missing.length > 0
        ? goneText(plan, missing)
        : `the tables of ${shownPlace(plan)} are of version ${version}, and this code needs ${plan.versions.length}`;
  return new UnsupportedError(`${what}: ${command}`, context(plan));
}

/** What a person is told to run. */
const command = 'run "holdfast migrate URL" with the rights to make tables ("holdfast migrate URL --print" shows them)';

function tooNew(plan: TablePlan, version: number): UnsupportedError {
  return new UnsupportedError(
    `the tables of ${shownPlace(plan)} are of version ${version}, made by a newer version of this package, and this ` +
      `one knows ${plan.versions.length}: install the newer one here, or give it tables of its own by another prefix`,
    context(plan),
  );
}

function gone(plan: TablePlan, missing: readonly TableKind[]): UnsupportedError {
  const remedy = plan.migrates
    ? `${command}, or restore them from a backup`
    : "restore the file from a backup, or name another file or prefix";
  return new UnsupportedError(`${goneText(plan, missing)}: ${remedy}`, context(plan));
}

function goneText(plan: TablePlan, missing: readonly TableKind[]): string {
  const which = missing.map((kind) => shownTable(plan, kind)).join(", ");
  return `${which} ${missing.length === 1 ? "is" : "are"} gone, though made before, and what was in there is lost`;
}

function shownTable({ names: { schema, plain } }: TablePlan, kind: TableKind): string {
  return schema === undefined ? plain(kind) : `${schema}.${plain(kind)}`;
}

function shownPlace({ names: { schema, prefix } }: TablePlan): string {
  return schema === undefined ? `prefix ${prefix}` : `prefix ${prefix} in schema ${schema}`;
}

function inTheWay(plan: TablePlan, { missing }: TableState): UnsupportedError {
  const which = missing.map((kind) => shownTable(plan, kind)).join(", ");
  const why = "is there a view, or something else, of that name?";
  return new UnsupportedError(`${which} cannot be made, though the server did not say so: ${why}`, context(plan));
}

function nowhere(plan: TablePlan): UnsupportedError {
  const { schema } = plan.names;
  const what = schema === undefined ? "no schema is named" : `there is no schema ${schema}, or no right to see it`;
  return new UnsupportedError(`${what}: create it, or name the one that the tables are to be in`, context(plan));
}

function context({ backend }: TablePlan): { readonly backend: string } {
  return { backend };
}

function statement(text: string): Statement {
  return { text, values: [] };
}

/** A column as text: drivers give binary strings as bytes. */
function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}
