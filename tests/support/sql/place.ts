import { randomBytes } from "node:crypto";
import type { Backend } from "../../../src/port/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { Place } from "../../../src/testing/suite.ts";
import type { TestApplication } from "./application.ts";
import type { Row } from "./options.ts";

/** What runs statements. */
export interface Asked {
  query(...texts: readonly string[]): Promise<readonly Row[]>;
}

/**
 * A place is tables of their own, whose names begin with the prefix, on a server that all places of the process share.
 * `apply` makes an application beside them.
 */
export function placeOnTables(
  server: Asked,
  schema: string,
  make: (prefix: string) => Backend,
  apply?: (prefix: string) => Promise<TestApplication>,
): Place {
  const prefix = drawPrefix();
  const applications: TestApplication[] = [];
  const place = placeOf(() => make(prefix), {
    async remove() {
      await Promise.all(applications.map(async (one) => one.close()));
      await dropTables(server, schema, prefix);
    },
  });
  if (!apply) return place;
  return Object.assign(place, {
    async application() {
      const one = await apply(prefix);
      applications.push(one);
      return one;
    },
  });
}

/** A prefix of tables that nobody has. */
export function drawPrefix(): string {
  return `t${randomBytes(6).toString("hex")}_`;
}

async function dropTables(server: Asked, schema: string, prefix: string): Promise<void> {
  const where = `table_schema = '${schema}' AND left(table_name, ${prefix.length}) = '${prefix}'`;
  const tables = await server.query(`SELECT table_name AS name FROM information_schema.tables WHERE ${where}`);
  if (tables.length > 0) await server.query(`DROP TABLE ${tables.map(({ name }) => String(name)).join(", ")}`);
}
