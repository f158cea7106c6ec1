import { readClock, rowsOf, type Asking, type ClockReading } from "../../sql/settings.ts";

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

const listed = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(", ");
const now = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000";

/** Asks a server what it is. Rejects with a HoldfastError. */
export async function readAccount(asking: Asking): Promise<Account> {
  const told = pairs(await rowsOf(`SHOW VARIABLES WHERE Variable_name IN (${listed(variables)})`, asking));
  const status = pairs(await rowsOf(`SHOW GLOBAL STATUS WHERE Variable_name IN (${listed(states)})`, asking));
  const [who] = await rowsOf("SELECT CURRENT_USER(), DATABASE()", asking);
  const clock = await readClock(async () => Number((await rowsOf(now, asking))[0]?.[0]), asking.time);
  return {
    clock,
    user: textOf(who?.[0]),
    database: textOf(who?.[1]),
    variable: (name) => told.get(name),
    status(name) {
      const value = status.get(name.toLowerCase());
      return value === undefined || value === "" ? undefined : Number(value);
    },
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function pairs(rows: readonly (readonly unknown[])[]): Map<string, string> {
  return new Map(rows.map(([name, value]) => [String(name).toLowerCase(), String(value)]));
}
