export { redisBackend } from "./backend.ts";
export { fromIoredis } from "./connections/index.ts";
export type { AdaptedClient, RedisOptions, RedisTlsOptions } from "./connections/index.ts";
