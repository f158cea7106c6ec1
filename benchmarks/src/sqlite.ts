/** What is used of SQLite: the same in `better-sqlite3` and in `node:sqlite`. */
export interface Sqlite {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): unknown;
}

interface Statement {
  get(...values: unknown[]): Record<string, unknown> | undefined;
  run(...values: unknown[]): unknown;
}

/** `better-sqlite3` where it has a binary for this Node, else the same engine as Node brings it. */
export async function openSqlite(path: string): Promise<{ readonly name: string; readonly sqlite: Sqlite }> {
  const name = "better-sqlite3";
  try {
    const { default: Database } = (await import(name)) as { default: new (path: string) => Sqlite };
    return { name, sqlite: new Database(path) };
  } catch (error) {
    console.log(
      `${name} cannot be used here (${(error as { code?: string }).code ?? "no binary"}): node:sqlite stands in`,
    );
    const { DatabaseSync } = await import("node:sqlite");
    return { name: "node:sqlite", sqlite: new DatabaseSync(path) as unknown as Sqlite };
  }
}
