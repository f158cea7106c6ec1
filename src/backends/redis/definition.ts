import type { BackendDefinition } from "../../port/index.ts";
import { dependency } from "./dependency.ts";
import type { RedisOptions } from "./index.ts";
import { parseRedisUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<RedisOptions> = {
  name: "redis",
  schemes,
  example: "redis://localhost:6379",
  about: "every machine: Redis, Valkey and their like",
  dependency,
  fromUrl(url, use) {
    const text = url.withPassword();
    parseRedisUrl(text); // refused now, before the backend is loaded
    return use === "cache" && url.params.get("use") === undefined ? { url: text, use } : { url: text };
  },
  async open(options) {
    const { redisBackend } = await import("./index.ts");
    return redisBackend(options);
  },
};
