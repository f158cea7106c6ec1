import { readClock, rowsOf, type Asking, type ClockReading } from "../../sql/settings.ts";

/** What a server says of itself. */
export interface Account {
  /** As the server writes it, such as `"15.20"`. */
  readonly version: string;
  /** Such as 150020. */
  readonly level: number;
  readonly standby: boolean;
  readonly user: string;
  readonly database: string;
  readonly clock: ClockReading;
  /** Servers that stream from it, as far as this user may see. */
  readonly standbys: number;
  /** A setting as this session has it: numbers in the server's unit. Undefined where it is not known or not shown. */
  setting(name: string): string | undefined;
}

const settings = [
  "server_version",
  "server_version_num",
  "server_encoding",
  "data_checksums",
  "TimeZone",
  "fsync",
  "full_page_writes",
  "synchronous_commit",
  "synchronous_standby_names",
  "default_transaction_read_only",
  "autovacuum",
  "max_connections",
  "superuser_reserved_connections",
  "reserved_connections",
  "statement_timeout",
  "idle_session_timeout",
];

const now = "SELECT (extract(epoch from pg_catalog.clock_timestamp()) * 1000)::pg_catalog.float8";

const names = settings.map((name) => `'${name}'`).join(", ");
const all =
  `SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN (${names}) ` +
  "UNION ALL SELECT 'is_standby', pg_catalog.pg_is_in_recovery()::text " +
  "UNION ALL SELECT 'user', current_user::text UNION ALL SELECT 'database', pg_catalog.current_database()::text " +
  "UNION ALL SELECT 'standbys', count(*)::text FROM pg_catalog.pg_stat_replication";

/** Asks a server what it is. Rejects with a HoldfastError. */
export async function readAccount(asking: Asking): Promise<Account> {
  const rows = (await rowsOf(all, asking)) as readonly (readonly [string, string | null])[];
  const told = new Map(rows.map(([name, value]) => [name, value ?? undefined]));
  const clock = await readClock(async () => Number((await rowsOf(now, asking))[0]?.[0]), asking.time);
  return {
    version: (told.get("server_version") ?? "").replace(/ .*/s, ""),
    level: Number(told.get("server_version_num") ?? 0),
    standby: told.get("is_standby") === "true",
    user: told.get("user") ?? "",
    database: told.get("database") ?? "",
    clock,
    standbys: Number(told.get("standbys") ?? 0),
    setting: (name) => told.get(name),
  };
}
