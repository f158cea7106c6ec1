// Made by `npm run generate` of the folders of src/backends: do not edit.
import type { BackendDefinition } from "../port/index.ts";
import { definition as lmdb } from "./lmdb/definition.ts";
import { definition as memory } from "./memory/definition.ts";
import { definition as nothing } from "./null/definition.ts";
import { definition as redis } from "./redis/definition.ts";

/** Every backend of this package, by name. */
export const definitions: readonly BackendDefinition[] = [lmdb, memory, nothing, redis];
