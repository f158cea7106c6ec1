import type { Dependency } from "../../port/index.ts";

/** The driver, of MySQL and MariaDB alike. */
export const dependency: Dependency = { name: "mysql2", range: ">=3.11 <4" };
