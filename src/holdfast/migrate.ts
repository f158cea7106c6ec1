import type { Backend } from "../port/index.ts";
import type { Migrated, MigrateOptions } from "./migrate-target.ts";

/**
 * Makes the tables of a store on a server of SQL, or brings them to the version of this package, where `connect` is to
 * do without the rights for that. Tables that were dropped are made again, empty. `holdfast migrate` prints the result.
 *
 * Rejects with UnsupportedError if the store has no tables, if they are of a newer version, or if the rights are
 * missing; with InvalidArgumentError as `connect` does; and with UnavailableError if it could not be done in time. It
 * may be done again.
 */
export async function migrate(target: string | Backend, options?: MigrateOptions): Promise<Migrated> {
  const { migrateTarget } = await import("./migrate-target.ts");
  return migrateTarget(target, options);
}
