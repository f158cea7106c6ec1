import type { BackendDefinition } from "../../port/index.ts";
import type { MemcachedOptions } from "./index.ts";
import { parseMemcachedUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<MemcachedOptions> = {
  name: "memcached",
  schemes,
  example: "memcached://localhost:11211",
  about: "every machine: memcached, for caches, and for locks and state that may be lost",
  fromUrl(url) {
    const text = url.withPassword();
    parseMemcachedUrl(text); // refused now, before the backend is loaded
    return { url: text };
  },
  async open(options) {
    const { memcachedBackend } = await import("./index.ts");
    return memcachedBackend(options);
  },
};
