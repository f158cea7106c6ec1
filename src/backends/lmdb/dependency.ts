import type { Dependency } from "../../port/index.ts";

/** The driver. */
export const dependency: Dependency = { name: "lmdb", range: "^3.5.6" };
