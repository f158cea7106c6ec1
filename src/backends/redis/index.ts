export { redisBackend } from "./backend.ts";
export type { RedisOptions, RedisTlsOptions } from "./connections/index.ts";
