import type { Dependency } from "../../port/index.ts";

/** The driver. */
export const dependency: Dependency = { name: "pg", range: ">=8.20 <9" };
