import { randomBytes } from "node:crypto";
import type { Backend } from "../../../src/port/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { Place } from "../../../src/testing/suite.ts";
import type { TestApplication } from "./application.ts";
import { sharing } from "../servers/shared.ts";
import type { SqlServer } from "./kinds.ts";

/** One connection for the tables of all places. It keeps the process alive while it is asked something. */
const adminOf = sharing(async (server: SqlServer) => {
  const session = await server.session();
  let asked = 0;
  session.keepAlive(false);
  return {
    async query(text: string) {
      session.keepAlive(++asked > 0);
      try {
        return await session.query(text);
      } finally {
        session.keepAlive(--asked > 0);
      }
    },
  };
});

/** Prefixes whose tables are there, and empty: to make and drop them takes a server longer than most cases. */
const idle = new Map<SqlServer, string[]>();

/**
 * A place is tables of their own, whose names begin with the prefix, on a server that all places of the process share.
 * `apply` makes an application beside them.
 */
export async function placeOnTables(
  server: SqlServer,
  schema: string,
  make: (prefix: string) => Backend,
  apply?: (prefix: string) => Promise<TestApplication>,
): Promise<Place> {
  const free = idle.get(server) ?? [];
  idle.set(server, free);
  const prefix = free.pop() ?? (await madeTables(make));
  const applications: TestApplication[] = [];
  const place = placeOf(() => make(prefix), {
    async remove() {
      await Promise.all(applications.map(async (one) => one.close()));
      await emptyTables(server, schema, prefix);
      free.push(prefix);
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

/** Tables that nobody has: no case waits for them to be made, which may take a busy server longer than a call may. */
async function madeTables(make: (prefix: string) => Backend): Promise<string> {
  const prefix = drawPrefix();
  const backend = make(prefix);
  try {
    await backend.open();
  } finally {
    await backend.close();
  }
  return prefix;
}

/** A prefix of tables that nobody has. */
export function drawPrefix(): string {
  return `t${randomBytes(6).toString("hex")}_`;
}

/** Empties our tables, but for what is known of all of them, and drops others. */
async function emptyTables(server: SqlServer, schema: string, prefix: string): Promise<void> {
  const where = `table_schema = '${schema}' AND left(table_name, ${prefix.length}) = '${prefix}'`;
  const admin = await adminOf(server);
  const tables = await admin.query(`SELECT table_name AS name FROM information_schema.tables WHERE ${where}`);
  for (const { name } of tables) {
    const kind = String(name).slice(prefix.length);
    if (kind !== "meta") await admin.query(`${kept.has(kind) ? "DELETE FROM" : "DROP TABLE"} ${String(name)}`);
  }
}

const kept = new Set(["records", "locks", "floors", "watchers"]);
