export type * from "./backend.ts";
export type * from "./capabilities.ts";
export type * from "./definition.ts";
export type * from "./examination.ts";
export type * from "./operations.ts";
export type * from "./signals.ts";
