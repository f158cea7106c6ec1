import { UnsupportedError } from "../../base/errors.ts";
import type { Reply, Statement } from "../sql/client.ts";
import { BACKEND } from "./connections/errors.ts";

/** What is to be known of a server. */
export interface Server {
  readonly isMariaDb: boolean;
  /** As it tells. */
  readonly version: string;
  /** Largest statement, in bytes: `max_allowed_packet`. */
  readonly mostBytes: number;
}

/** Before anything is known of it. */
export const unknownServer: Server = { isMariaDb: false, version: "", mostBytes: 1 << 20 };

export const ask: Statement = {
  text: "SELECT VERSION(), @@version_comment, @@max_allowed_packet",
  values: [],
};

/** The oldest versions that leave out rows which others have locked (SKIP LOCKED) and know JSON_TABLE. */
const oldest = { mysql: [8, 0], mariadb: [10, 6] } as const;

/** What the server has answered to {@link ask}. Throws UnsupportedError for one that will not do. */
export function serverOf({ rows: [row] }: Reply): Server {
  const [version = "", comment = "", mostBytes = ""] = (row ?? []).map(String);
  const isMariaDb = /mariadb/i.test(version + comment);
  const [major, minor] = isMariaDb ? oldest.mariadb : oldest.mysql;
  const [, a, b] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (/tidb/i.test(version + comment)) refuse("the server is TiDB, which does not lock rows as this backend needs it");
  if (Number(a) < major || (Number(a) === major && Number(b) < minor)) {
    const name = isMariaDb ? "MariaDB" : "MySQL";
    refuse(`the server is ${name} ${version}, and it takes MySQL 8.0 or MariaDB 10.6`);
  }
  return { isMariaDb, version, mostBytes: Number(mostBytes) };
}

function refuse(why: string): never {
  throw new UnsupportedError(why, { backend: BACKEND });
}
