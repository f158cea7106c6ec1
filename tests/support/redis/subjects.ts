import { randomBytes } from "node:crypto";
import type { ServerKind } from "../../backends/redis/servers.ts";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import type { Backend } from "../../../src/port/index.ts";
import { elapse } from "../../../src/testing/elapse.ts";
import type { Place, Subject } from "../../../src/testing/suite.ts";
import type { RedisServer } from "./server.ts";
import { realUnit } from "../unit.ts";
import { shared } from "./shared.ts";
import { sendAll } from "./wire.ts";

/** Servers of one arrangement, running. */
interface Running {
  readonly url: string;
  /** Those that hold data now. */
  readonly primaries: () => Promise<readonly RedisServer[]>;
}

const arrangements: Readonly<Record<string, (kind: ServerKind) => Promise<Running>>> = {
  "": async (kind) => {
    const server = await shared.single(kind);
    return { url: server.url, primaries: async () => [server] };
  },
  "-sentinel": async (kind) => {
    const group = await shared.sentinel(kind);
    return { url: group.url, primaries: async () => [await group.primary()] };
  },
  "-cluster": async (kind) => {
    const cluster = await shared.cluster(kind);
    return { url: cluster.url, primaries: async () => cluster.nodes.slice(0, 3) };
  },
};

/** A kind of server, in each of the arrangements `""`, `"-sentinel"` and `"-cluster"` that is named. */
export function redisSubject(name: string, kind: ServerKind): Subject {
  const start = arrangements[name.slice(kind.length)];
  if (!start) throw new Error(`"${name}" is no arrangement of ${kind}`);
  const unit = name.endsWith("-cluster") ? Math.max(500, realUnit) : undefined;
  return { name, unit, place: async () => placeOn(await start(kind)) };
}

/** In ms. With many tests beside, this process or the server may stand still for longer than the default. */
const connectTimeout = 20_000;

/** A place is a prefix, on servers that all places of the process share. */
function placeOn({ url, primaries }: Running): Place {
  const prefix = `test-${randomBytes(6).toString("hex")}`;
  const made: Backend[] = [];
  return {
    backend() {
      const backend = redisBackend({ url, prefix, connectTimeout });
      made.push(backend);
      return backend;
    },
    elapse,
    async close() {
      await Promise.all(made.map(async (backend) => backend.close()));
      for (const server of await primaries()) await removeKeys(server, prefix);
    },
  };
}

async function removeKeys(server: RedisServer, prefix: string): Promise<void> {
  let cursor = "0";
  do {
    const reply = await server.command("SCAN", cursor, "MATCH", `${prefix}:*`, "COUNT", "1000");
    const [next, keys] = reply as [string, string[]];
    // One by one: keys of several slots cannot be in one command of a cluster.
    if (keys.length > 0) {
      await sendAll(
        server,
        keys.map((key) => ["UNLINK", key]),
      );
    }
    cursor = next;
  } while (cursor !== "0");
}
