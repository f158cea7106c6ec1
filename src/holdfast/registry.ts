import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import type { Backend } from "../port/index.ts";
import type { Target } from "../base/url-target.ts";
import { parseUrl } from "../base/url.ts";

/** What `connect` can reach in this version, as messages show it. */
const AVAILABLE = ["file:", "memory:", "null:", "redis[s]://", "valkey[s]://"];

/** What a backend is used for, where that is known: a server that holds caches only may lose what it likes. */
export type Use = "all" | "cache";

/** The backend that a URL means. Loads its module, and no other. No I/O besides. */
export async function backendOf(url: string, use: Use): Promise<Backend> {
  const target = parseUrl(url);
  switch (target.kind) {
    case "memory": {
      refuseParams(target);
      const { memoryBackend } = await import("../backends/memory/index.ts");
      return memoryBackend({ name: target.name });
    }
    case "null": {
      refuseParams(target);
      const { nullBackend } = await import("../backends/null/index.ts");
      return nullBackend();
    }
    case "file": {
      refuseParams(target);
      const { lmdbBackend } = await import("../backends/lmdb/index.ts");
      return lmdbBackend({ path: target.path });
    }
    case "redis": {
      const { redisBackend } = await import("../backends/redis/index.ts");
      return redisBackend(use === "cache" && target.params.get("use") === undefined ? { url, use } : { url });
    }
    default:
      throw new UnsupportedError(
        `${target.scheme}:// has no backend in this version, which has ${AVAILABLE.join(", ")}`,
      );
  }
}

function refuseParams({ scheme, params }: Target): void {
  const [name] = params.names();
  if (name !== undefined)
    throw new InvalidArgumentError(`a ${scheme}: URL takes no parameter, got ${JSON.stringify(name)}`);
}

/** A backend, and whether it is ours to close. */
export interface Reached {
  readonly backend: Backend;
  readonly own: boolean;
}

/** Closes what is ours. */
export async function closeOwn(reached: readonly Reached[]): Promise<void> {
  await Promise.all(reached.map(async ({ backend, own }) => (own ? backend.close() : undefined)));
}
