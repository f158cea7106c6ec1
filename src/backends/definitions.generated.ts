// Made by `npm run generate` of the folders beside it that have a definition: do not edit.
import type { BackendDefinition } from "../port/index.ts";
import { definition as etcdDefinition } from "./etcd/definition.ts";
import { definition as lmdbDefinition } from "./lmdb/definition.ts";
import { definition as memcachedDefinition } from "./memcached/definition.ts";
import { definition as memoryDefinition } from "./memory/definition.ts";
import { definition as mysqlDefinition } from "./mysql/definition.ts";
import { definition as natsDefinition } from "./nats/definition.ts";
import { definition as nullDefinition } from "./null/definition.ts";
import { definition as postgresDefinition } from "./postgres/definition.ts";
import { definition as redisDefinition } from "./redis/definition.ts";
import { definition as sqliteDefinition } from "./sqlite/definition.ts";

/** Every backend of this package, by name. */
export const definitions: readonly BackendDefinition[] = [
  etcdDefinition,
  lmdbDefinition,
  memcachedDefinition,
  memoryDefinition,
  mysqlDefinition,
  natsDefinition,
  nullDefinition,
  postgresDefinition,
  redisDefinition,
  sqliteDefinition,
];
