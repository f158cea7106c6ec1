// Values to what is stored, and back, exactly.
//
// - `codec` calls a codec, the default or an application's, and makes typed errors of what it throws.
// - `plainJson` goes by `JSON.stringify`.
// - `json`, the default, writes plain JSON where that is exact (`plain`). Else `pack` writes by `tags` what JSON cannot
//   say, and `unpack` reads that. `parse` reads text for both. `kinds` says what an object is, `path` where in a value
//   something cannot be stored.

export type { Codec } from "./codec.ts";
export { decodeWith, encodeWith } from "./codec.ts";
export { json } from "./json.ts";
export { plainJson } from "./plain-json.ts";
