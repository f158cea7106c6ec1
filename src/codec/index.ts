export type { Codec } from "./codec.ts";
export { decodeWith, encodeWith } from "./codec.ts";
export { json } from "./json.ts";
