export { lmdbBackend, type LmdbOptions } from "./backend.ts";
