import type { Dependency } from "../../port/index.ts";

/** The driver, where Node has none of its own: before 22.13. */
export const dependency: Dependency = { name: "better-sqlite3", range: ">=12 <14" };
