import { deferred, type Deferred } from "../../base/async.ts";
import { UnavailableError } from "../../base/errors.ts";
import { space } from "../../base/keys.ts";
import { Cache, type CacheEvents, type CacheOptions, type GetOrSetOptions, type Loader } from "../../cache/index.ts";
import { isDeleted } from "../../cache/deleted.ts";
import { Instance } from "../../client/index.ts";
import type { Backend, Capabilities, Group, Operation } from "../../port/index.ts";
import { inTime } from "../in-time.ts";
import { misbehavingBackend, type Fault } from "../misbehave.ts";
import type { CaseContext, Place } from "../suite.ts";

/** For a store that answers, on however busy a machine. */
export const calm = { timeout: "20s" } as const;

/** Caches of one place, each call's an instance of its own. */
export function cacheOf<V = unknown>(context: CaseContext, options?: CacheOptions, name = "values"): Cache<V> {
  return new Cache<V>(new Instance(context.place.backend()), name, { ttl: context.unit * 1_000, ...calm, ...options });
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
  const call = { deadline: backend.time.monotonic() + 20_000, claim: () => true };
  const [outcome] = await backend.session().execute([{ ops }], call);
  if (!outcome?.ok) throw new Error(`the operations failed: ${outcome?.why}`);
}

/** The spaces of the cache that {@link cacheOf} makes. */
export const entries = space("cache", "", "values");
export const stamps = space("stamp", "", "values");

/**
 * As `getOrSet` where the loader runs; resolves when the entry was written as well, for those who look at it from
 * elsewhere.
 */
export async function loaded<V>(
  cache: Cache<V>,
  key: string,
  loader: Loader<V>,
  options?: GetOrSetOptions,
): Promise<V> {
  const [value] = await Promise.all([cache.getOrSet(key, loader, options), toldOf(cache, "load", key)]);
  return value;
}

/** The next event of that name, of that key if one is given. */
export async function toldOf<V, Name extends keyof CacheEvents>(
  cache: Cache<V>,
  name: Name,
  key?: string,
): Promise<CacheEvents[Name]> {
  return new Promise((resolve) => {
    const end = cache.on(name, (event) => {
      if (key !== undefined && (event as { key?: string }).key !== key) return;
      end();
      resolve(event);
    });
  });
}

/** A store whose connection is in the hands of a case. */
export interface Line {
  readonly backend: Backend;
  /** Requests fail at once from now on. */
  refuse(): void;
  /** Requests, or those that `which` says, get no answer from now on. */
  hang(which?: (group: Group) => boolean): void;
  /** The store answers, and is told what was held back. */
  restore(): void;
  /**
   * Resolves when so many requests were held back since it hangs, or with false once `unless` has ended: on a busy
   * machine the time of a call may be over before it is sent. Rejects after a minute.
   */
  held(count?: number, unless?: Promise<unknown>): Promise<boolean>;
}

/** A backend of the place, on a line of its own. */
export function line({ place }: { readonly place: Pick<Place, "backend"> }): Line {
  const backend = place.backend();
  let refuses = false;
  let hangs: ((group: Group) => boolean) | undefined;
  let end = deferred<void>();
  let holds = 0;
  let more = deferred<void>();
  const fault: Fault = {
    name: "its line is cut",
    async group(group, next) {
      if (refuses) {
        const error = new UnavailableError("the store is away", { backend: backend.name });
        return { ok: false, why: "failed", sent: false, error };
      }
      if (hangs?.(group)) {
        holds++;
        more.resolve();
        more = deferred();
        await end.promise;
      }
      return next(group);
    },
  };
  return {
    backend: misbehavingBackend(backend, fault),
    refuse() {
      refuses = true;
    },
    hang(which = () => true) {
      hangs = which;
    },
    restore() {
      refuses = false;
      hangs = undefined;
      end.resolve();
      end = deferred();
      holds = 0;
    },
    async held(count = 1, unless) {
      let over = false;
      const ended = unless?.catch(() => undefined).then(() => (over = true)); // what it comes to is the case's to see
      const wait = async (): Promise<void> => {
        while (holds < count && !over) await Promise.race([more.promise, ...(ended ? [ended] : [])]);
      };
      await inTime(`${count} requests that are held back`, wait());
      return holds >= count;
    },
  };
}

/** Whether a group writes an entry: no stamp, and not what a deleted entry leaves. */
export function writesEntry({ ops }: Group): boolean {
  return ops.some((op) => op.op === "set" && op.key.space.id === entries.id && !isDeleted(op));
}
