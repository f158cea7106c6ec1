import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { UnsupportedError } from "../../src/base/errors.ts";
import type { Space } from "../../src/base/keys.ts";
import type { Time } from "../../src/base/time.ts";
import { Cache, type CacheOptions } from "../../src/cache/index.ts";
import { Instance } from "../../src/client/index.ts";
import type { Backend, Capabilities, Group, Session, StoredRecord } from "../../src/port/index.ts";
import { virtualTime, type VirtualTime } from "../../src/testing/virtual-time.ts";

/** Instances on one Memory whose time stands still. */
export interface Stand {
  readonly time: VirtualTime;
  readonly backend: () => Backend;
  readonly cache: <V = unknown>(options?: CacheOptions) => Cache<V>;
  readonly records: (space: Space) => Promise<readonly StoredRecord[]>;
}

export function stand(): Stand {
  const time = virtualTime();
  const server = new MemoryServer({ time });
  const backend = (): Backend => memoryBackend({ server });
  return {
    time,
    backend,
    cache: (options) => new Cache(new Instance(backend()), "values", { ttl: "5m", ...options }),
    async records(space) {
      const instance = new Instance(backend());
      const { records } = await instance.page({ space, prefix: "", limit: 1_000 }, instance.ownCall());
      return records;
    },
  };
}

/** The backend for instances with a clock of their own. */
export function clocked(backend: Backend, time: Partial<Time>): Backend {
  const before = backend.time;
  return {
    name: backend.name,
    time: {
      wall: () => before.wall(),
      monotonic: () => before.monotonic(),
      after: (ms, fn) => before.after(ms, fn),
      ...time,
    },
    open: async () => backend.open(),
    close: async () => backend.close(),
    session: () => backend.session(),
  };
}

/** What a backend is made to be. */
export interface Remote {
  readonly capabilities?: Partial<Capabilities>;
  readonly onExecute?: (groups: readonly Group[]) => void;
}

/** The backend as one that is somewhere else: nothing is at once. */
export function remote(backend: Backend, { capabilities, onExecute }: Remote = {}): Backend {
  return {
    name: backend.name,
    time: backend.time,
    async open() {
      const opened = await backend.open();
      return { ...opened, capabilities: { ...opened.capabilities, shared: "network", ...capabilities } };
    },
    close: async () => backend.close(),
    session(): Session {
      const session = backend.session();
      return {
        id: session.id,
        async execute(groups, call) {
          onExecute?.(groups);
          return session.execute(groups, call);
        },
        async page(query, call) {
          if (capabilities?.list === false) throw new UnsupportedError("it cannot list", { backend: backend.name });
          return session.page(query, call);
        },
        close: async () => session.close(),
      };
    },
  };
}
