import type { Dependency } from "../../port/index.ts";

/** The driver. */
export const dependency: Dependency = { name: "redis", range: ">=6 <7" };
