import { statSync } from "node:fs";
import path from "node:path";
import { meaningOf } from "../../../../src/backends/by-url.ts";
import { definitions } from "../../../../src/backends/definitions.generated.ts";
import { loadDriver } from "../../../../src/backends/sqlite/driver.ts";
import type { Backend } from "../../../../src/port/index.ts";

/** An embedded backend, as the tests of what all of them share run on it. */
export interface Kind {
  readonly name: string;
  /** A URL of data in the folder, which is made with it. */
  url(folder: string): string;
  /** The file that it is in. */
  file(folder: string): string;
  sockets(folder: string): string;
  /** How large the data is, in bytes. */
  size(folder: string): Promise<number>;
  /** Sizes of disks that are soon full, with room for 4 MiB beside it. */
  readonly disks: readonly string[];
}

export const lmdb: Kind = {
  name: "lmdb",
  url: (folder) => `file:${path.join(folder, "data")}`,
  file: (folder) => path.join(folder, "data", "data.mdb"),
  sockets: (folder) => path.join(folder, "data", "sockets"),
  disks: ["9m", "10m", "11m"],
  size: (folder) => Promise.resolve(statSync(path.join(folder, "data", "data.mdb")).size),
};

export const sqlite: Kind = {
  name: "sqlite",
  url: (folder) => `sqlite:${path.join(folder, "data.db")}`,
  file: (folder) => path.join(folder, "data.db"),
  sockets: (folder) => path.join(folder, "data.db-holdfast_sockets"),
  disks: ["17m", "18m", "19m"],
  async size(folder) {
    const connection = (await loadDriver()).open(path.join(folder, "data.db"), true);
    const row = connection
      .prepare("SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size")
      .get();
    connection.close();
    return Number(row?.["size"]);
  },
};

export const kinds: readonly Kind[] = [lmdb, sqlite];

/** A backend of this process on data by its URL. */
export async function backendAt(url: string): Promise<Backend> {
  const { definition, options } = meaningOf(url, definitions);
  return definition.open(options);
}
