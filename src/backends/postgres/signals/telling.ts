import { lockMs } from "../../sql/client.ts";
import { formats } from "../../sql/dialect.ts";
import type { TableNames } from "../../sql/identifiers.ts";

/** How long a registration lasts unless it is renewed, in ms: so long changes are told that a dead process watched. */
export const watchMs = 60_000;

/** Keys in one payload, in characters as they are encoded; one key more may be added, so it stays under 8,000. */
const keysInPayload = 6_000;

/** Milliseconds since 1970 by the server's clock, as an expression. */
const now = "(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint";

/** How long a commit waits for others that notify, in ms. */
const commitMs = 5_000;

/**
 * Notifies a channel of a payload, as an aggregate. The commit then waits for a lock of the whole cluster, which others
 * have until their commits are over, and the limit of our transactions is meant for rows: so it gets another one. That
 * of a transaction that is not ours stays.
 */
function notifying(channel: string, payload: string): string {
  return (
    `pg_catalog.count(ROW(pg_catalog.pg_notify(${channel}, ${payload}), ` +
    `CASE WHEN pg_catalog.current_setting('lock_timeout') = '${lockMs}ms' ` +
    `THEN pg_catalog.set_config('lock_timeout', '${commitMs}', true) END))`
  );
}

/** Notifies channels ($1) of payloads ($2). */
export const notice = `SELECT ${notifying("c.name", "c.told")} FROM unnest($1::text[], $2::text[]) c(name, told)`;

/**
 * A statement that writes or removes records, so that it tells who watches them; its reply has their number and
 * their last end. `writing` names their table `r`, and could go on with RETURNING. The notification is in the same
 * statement, so it is told exactly if the change takes effect. Where nobody watches a space of what was changed
 * there is none: one would take a lock of the whole cluster at commit. Rows with nothing in them are no records.
 * `ahead` is another query of its WITH.
 */
export function telling({ watchers }: TableNames, writing: string, ahead?: string): string {
  return (
    `WITH ${first(ahead)}changed AS (${writing} RETURNING r.space, r.key, r.format, r.expires_at), ` +
    `watched AS MATERIALIZED (SELECT DISTINCT space, channel FROM ${watchers} WHERE until > ${now}), ` +
    "told AS (SELECT w.channel, pg_catalog.encode(c.key, 'base64') AS key " +
    "FROM watched w JOIN changed c USING (space) " +
    `WHERE c.format < ${formats.nothing}), ` +
    "parted AS (SELECT channel, key, " +
    "pg_catalog.sum(pg_catalog.length(key) + 1) OVER (PARTITION BY channel ORDER BY key) " +
    `/ ${keysInPayload} AS part FROM told) ` +
    "SELECT (SELECT pg_catalog.count(*) FROM changed), (SELECT pg_catalog.max(expires_at) FROM changed), " +
    `${notifying("channel", "keys")} FROM ` +
    "(SELECT channel, pg_catalog.string_agg(key, ',') AS keys FROM parted GROUP BY channel, part) AS payloads"
  );
}

/**
 * The same of a statement that writes one record, whose space and key are $1 and $2: a plan of a third of the steps.
 */
export function tellingOne({ watchers }: TableNames, writing: string, ahead?: string): string {
  return (
    `WITH ${first(ahead)}changed AS (${writing} RETURNING r.expires_at) ` +
    `SELECT 1, changed.expires_at, (SELECT ${notifying("w.channel", "pg_catalog.encode($2, 'base64')")} ` +
    `FROM (SELECT DISTINCT channel FROM ${watchers} WHERE space = $1 AND until > ${now}) AS w) FROM changed`
  );
}

function first(query: string | undefined): string {
  return query === undefined ? "" : `${query}, `;
}

/** What those who watch ask the server for. */
export interface WatchTexts {
  /**
   * Registers the watcher $1 for spaces ($2) with their channels ($3); gives each space, in hexadecimal digits, and
   * whether it was registered all the time since it was first.
   */
  readonly register: string;
  /** Ends the registration of the watcher $1 for spaces ($2). */
  readonly leave: string;
  /**
   * The transactions that may change records and may not see a registration that is committed by now. A statement
   * locks its tables before it takes its snapshot, and its transaction has them locked until it is over: so all that
   * hold such a lock now. (Their ids are not enough, for a transaction gets one after its first snapshot.)
   */
  readonly writers: string;
}

export function watchTexts({ watchers, records }: TableNames): WatchTexts {
  return {
    register:
      `WITH clock AS MATERIALIZED (SELECT ${now} AS ms), ` +
      `old AS MATERIALIZED (SELECT space, until FROM ${watchers} WHERE watcher = $1 AND space = ANY ($2::bytea[])) ` +
      `INSERT INTO ${watchers} AS w (space, watcher, channel, until) ` +
      `SELECT n.space, $1, n.channel, clock.ms + ${watchMs} ` +
      "FROM clock, unnest($2::bytea[], $3::text[]) AS n(space, channel) ORDER BY n.space " +
      "ON CONFLICT (space, watcher) DO UPDATE SET until = excluded.until, channel = excluded.channel " +
      "RETURNING pg_catalog.encode(w.space, 'hex'), " +
      "(SELECT old.until > clock.ms FROM old, clock WHERE old.space = w.space)",
    leave: `DELETE FROM ${watchers} WHERE watcher = $1 AND space = ANY ($2::bytea[])`,
    writers:
      "SELECT virtualtransaction FROM pg_catalog.pg_locks WHERE locktype = 'relation' AND granted " +
      `AND relation = '${records.replaceAll("'", "''")}'::pg_catalog.regclass ` +
      "AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) " +
      "AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') " +
      "AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid()",
  };
}
