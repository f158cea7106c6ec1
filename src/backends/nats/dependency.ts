import type { Dependency } from "../../port/index.ts";

export const dependency: Dependency = { name: "@nats-io/transport-node", range: ">=3.4 <4" };
