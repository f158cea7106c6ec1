import { deferred, type Deferred } from "../../base/async.ts";
import { UnavailableError } from "../../base/errors.ts";
import { space } from "../../base/keys.ts";
import { Cache, type CacheOptions } from "../../cache/index.ts";
import { Instance } from "../../client/index.ts";
import type { Backend, Capabilities, Group, Operation, Session } from "../../port/index.ts";
import type { CaseContext } from "../suite.ts";

/** Caches of one place, each call's an instance of its own. */
export function cacheOf<V = unknown>(context: CaseContext, options?: CacheOptions, name = "values"): Cache<V> {
  return new Cache<V>(new Instance(context.place.backend()), name, { ttl: context.unit * 1_000, ...options });
}

/** Null keeps nothing: what it promises of entries is tested by a case of its own. */
export function keeps({ exclusion }: Capabilities): boolean {
  return exclusion !== "none";
}

/** Whether the data is in this process, and bounded by the cache. */
export function inProcess(capabilities: Capabilities): boolean {
  return capabilities.shared === "process" && keeps(capabilities);
}

/** A loader that waits for the test: `started` resolves when it runs, `end` lets it give a value. */
export interface Gate<V> {
  readonly started: Promise<void>;
  readonly runs: () => number;
  readonly end: Deferred<V>;
  readonly load: () => Promise<V>;
}

export function gate<V>(): Gate<V> {
  const started = deferred<void>();
  const end = deferred<V>();
  let runs = 0;
  return {
    started: started.promise,
    runs: () => runs,
    end,
    load() {
      runs++;
      started.resolve();
      return end.promise;
    },
  };
}

/** Runs operations beside the caches, on a client of its own. */
export async function behind({ place }: CaseContext, ops: readonly Operation[]): Promise<void> {
  const backend = place.backend();
  await backend.open();
  const call = { deadline: backend.time.monotonic() + 5_000, claim: () => true };
  const [outcome] = await backend.session().execute([{ ops }], call);
  if (!outcome?.ok) throw new Error(`the operations failed: ${outcome?.why}`);
}

/** The spaces of the cache that {@link cacheOf} makes. */
export const entries = space("cache", "", "values");
export const stamps = space("stamp", "", "values");

/** A backend whose requests fail while `down` says so. */
export function failing(backend: Backend, down: () => boolean): Backend {
  const fail = () => ({
    ok: false as const,
    why: "failed" as const,
    sent: false,
    error: new UnavailableError("the store is away", { backend: backend.name }),
  });
  return {
    name: backend.name,
    time: backend.time,
    open: async () => backend.open(),
    close: async () => backend.close(),
    session(): Session {
      const session = backend.session();
      return {
        id: session.id,
        execute: async (groups: readonly Group[], call) =>
          down() ? groups.map((_, i) => (call.claim(i), fail())) : session.execute(groups, call),
        page: async (query, call) => session.page(query, call),
        close: async () => session.close(),
      };
    },
  };
}
