import type { Duration } from "../../base/durations.ts";
import type { SettingsMode } from "../common/findings.ts";
import { connectTimeoutOf, countOf, oneOf } from "../common/options.ts";
import { checkPrefix, checkSchema, defaultPrefix } from "./identifiers.ts";
import type { MigrateMode } from "./tables.ts";

/** Options that are the same for every server that speaks SQL. */
export interface TableOptions {
  /** Where the tables are, which is there already. */
  readonly schema?: string | undefined;
  /** What the names of the tables begin with. Another prefix is another store. Default `"holdfast_"`. */
  readonly prefix?: string | undefined;
  /**
   * Whether tables that are missing are made when the backend is opened (`"auto"`, the default), or only looked for
   * (`"check"`): that takes no right to make tables, and `holdfast migrate` is run before.
   */
  readonly migrate?: MigrateMode | undefined;
  /**
   * What becomes of settings of the server, and of missing rights, that break a promise: opening is refused
   * (`"refuse"`, the default), or the process is warned (`"warn"`).
   */
  readonly settings?: SettingsMode | undefined;
}

export interface ResolvedTableOptions {
  readonly schema: string | undefined;
  readonly prefix: string;
  readonly migrate: MigrateMode;
  readonly settings: SettingsMode;
}

/** Checks options; an option wins over the parameter of the URL. Throws InvalidArgumentError. */
export function resolveTableOptions(
  options: TableOptions,
  param: (name: "schema" | "prefix" | "migrate" | "settings") => string | undefined,
  backend: string,
): ResolvedTableOptions {
  const schema = options.schema ?? param("schema");
  return {
    schema: schema === undefined ? undefined : checkSchema(schema, backend),
    prefix: checkPrefix(options.prefix ?? param("prefix") ?? defaultPrefix, backend),
    migrate: oneOf("migrate", options.migrate ?? param("migrate"), ["auto", "check"], backend),
    settings: oneOf("settings", options.settings ?? param("settings"), ["refuse", "warn"], backend),
  };
}

/** Options of connections that are the same for every server that speaks SQL. */
export interface ReachOptions {
  /** For one attempt to connect to one host. Default `"5s"`. */
  readonly connectTimeout?: Duration | undefined;
  /** Most connections for transactions. */
  readonly maxConnections?: number | undefined;
  /**
   * Most calls that wait for a connection at one time; more are refused at once with UnavailableError. Default 10,000.
   */
  readonly maxWaiting?: number | undefined;
}

export interface ResolvedReachOptions {
  /** In ms. */
  readonly connectTimeout: number;
  readonly maxConnections: number;
  readonly maxWaiting: number;
}

/**
 * Checks options; an option wins over the parameter of the URL. `usual`: connections unless told. Throws
 * InvalidArgumentError.
 */
export function resolveReachOptions(
  options: ReachOptions,
  param: (name: keyof ReachOptions) => string | undefined,
  usual: number,
  backend: string,
): ResolvedReachOptions {
  const count = (name: "maxConnections" | "maxWaiting", most: number): number =>
    countOf(name, options[name], param(name), { usual: most, backend });
  return {
    connectTimeout: connectTimeoutOf(options.connectTimeout, param("connectTimeout")),
    maxConnections: count("maxConnections", usual),
    maxWaiting: count("maxWaiting", 10_000),
  };
}
