import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/** What can be started: the MariaDB of Debian stable, and a MySQL of now. */
export type MysqlKind = "mariadb" | "mysql";

export const wanted: Readonly<Record<MysqlKind, Wanted>> = {
  mariadb: {
    file: "usr/sbin/mariadbd",
    says: /\bVer ([\d.]+)-MariaDB/,
    version: "10.11",
    debian: { release: "here", folder: "mariadb", packages: ["mariadb-server-core", "mariadb-client-core"] },
  },
  // MariaDB may be installed under its name.
  mysql: {
    file: "usr/sbin/mysqld",
    says: /\bVer ([\d.]+)(?!.*MariaDB)/,
    version: "8.0",
    debian: { release: "sid", folder: "mysql-sid", packages: ["mysql-server-core"] },
  },
};

/** The program of a kind, where it is there. */
export function findServer(kind: MysqlKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}
