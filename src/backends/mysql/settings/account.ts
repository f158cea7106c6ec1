import { readClock, rowsOf, type Asking, type ClockReading } from "../../sql/settings.ts";
import type { MySqlClient } from "../client.ts";

/** As {@link Asking}. */
export interface MySqlAsking extends Asking {
  readonly client: MySqlClient;
}

/** What a server says of itself. */
export interface Account {
  readonly clock: ClockReading;
  readonly user: string;
  readonly database: string;
  /** A variable as this session has it, in lower case where it is a word. Undefined where the server has none. */
  variable(name: string): string | undefined;
  /** A number of the server's status. */
  status(name: string): number | undefined;
}

const variables = [
  "version",
  "version_comment",
  "character_set_server",
  "system_time_zone",
  "time_zone",
  "read_only",
  "super_read_only",
  "innodb_read_only",
  "innodb_flush_log_at_trx_commit",
  "innodb_doublewrite",
  "log_bin",
  "sync_binlog",
  "binlog_format",
  "wsrep_on",
  "group_replication_group_name",
  "group_replication_single_primary_mode",
  "rpl_semi_sync_source_enabled",
  "rpl_semi_sync_master_enabled",
  "max_allowed_packet",
  "max_connections",
  "max_user_connections",
  "wait_timeout",
];

const states = [
  "Threads_connected",
  "Uptime",
  "wsrep_cluster_size",
  "Rpl_semi_sync_source_clients",
  "Rpl_semi_sync_master_clients",
];

/** What SHOW tells. It gives no more rows than sql_select_limit, which may be a few in a session of an application. */
function told(table: "session_variables" | "global_status", names: readonly string[], asking: MySqlAsking): string {
  const { isMariaDb } = asking.client.server;
  const place = `${isMariaDb ? "information_schema" : "performance_schema"}.${table}`;
  const listed = names.map((name) => `'${name}'`).join(", ");
  return `SELECT VARIABLE_NAME, VARIABLE_VALUE FROM ${place} WHERE VARIABLE_NAME IN (${listed}) LIMIT ${names.length}`;
}

const now = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000";

/** Asks a server what it is. Rejects with a HoldfastError. */
export async function readAccount(asking: MySqlAsking): Promise<Account> {
  const settings = pairs(await rowsOf(told("session_variables", variables, asking), asking));
  const status = pairs(await rowsOf(told("global_status", states, asking), asking));
  const [who] = await rowsOf("SELECT CURRENT_USER(), DATABASE()", asking);
  const clock = await readClock(async () => Number((await rowsOf(now, asking))[0]?.[0]), asking.time);
  return {
    clock,
    user: textOf(who?.[0]),
    database: textOf(who?.[1]),
    variable: (name) => settings.get(name),
    status(name) {
      const value = status.get(name.toLowerCase());
      return value === undefined || value === "" ? undefined : Number(value);
    },
  };
}

/** Columns come as bytes. */
function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : "";
}

function pairs(rows: readonly (readonly unknown[])[]): Map<string, string> {
  return new Map(rows.map(([name, value]) => [String(name).toLowerCase(), String(value)]));
}
