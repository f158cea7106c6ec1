import { onAbort } from "../base/aborts.ts";
import { isHoldfastError, UnsupportedError } from "../base/errors.ts";
import { bounded, type Call } from "../client/index.ts";
import type { Signal } from "../port/index.ts";
import { loadEntries } from "./many.ts";
import { resolvePrefix } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Change, Entry } from "./entry.ts";
import { pages } from "./listing.ts";
import type { WatchOptions } from "./options.ts";

/** How many changed keys may wait to be read. Beyond that, the watch yields a gap. */
const mostPending = 10_000;
/** How many changed keys are read together. */
const stride = 64;
/** The pause before a store that is away is asked again, in ms. */
const pauseMs = 500;

type Listing<T> = AsyncGenerator<readonly Entry<T>[], void, undefined>;

/** Starts a watch. It is live when it resolves. */
export async function watch<T>(
  core: StoreCore<T>,
  options: WatchOptions | undefined,
): Promise<AsyncIterableIterator<Change<T>>> {
  const { instance, host } = core;
  const call = instance.call(options);
  const prefix = resolvePrefix(options?.prefix);
  const initial = options?.initial === true;
  const { capabilities, whyNoWatch } = host.known ?? (await host.ready(call));
  const { name } = instance.backend;
  if (capabilities.watch === "none") {
    const why = whyNoWatch === undefined ? "" : `: ${whyNoWatch}`;
    throw new UnsupportedError(`${name} cannot tell of changes${why}`, { backend: name });
  }
  if (initial && !capabilities.list) throw new UnsupportedError(`${name} cannot list its entries`, { backend: name });
  call.signal?.throwIfAborted();
  const watcher = new Watcher(core, prefix, initial);
  await watcher.start(call);
  return watcher;
}

/**
 * Turns the signals of a space into changes. A signal names a key, and the change is what is read then. So many writes
 * of a key that were not yielded yet are one change, and the number of keys bounds what waits.
 */
class Watcher<T> implements AsyncIterableIterator<Change<T>> {
  readonly #core: StoreCore<T>;
  readonly #prefix: string;
  readonly #initial: boolean;
  readonly #changes: AsyncGenerator<Change<T>, void, undefined>;
  readonly #undo: (() => void)[] = [];
  readonly #pending = new Set<string>();
  #gap = false;
  #ended = false;
  #wake: () => void = () => undefined;
  #resume: () => void = () => undefined;

  constructor(core: StoreCore<T>, prefix: string, initial: boolean) {
    this.#core = core;
    this.#prefix = prefix;
    this.#initial = initial;
    this.#changes = this.#run();
  }

  async start(call: Call): Promise<void> {
    const { instance, space } = this.#core;
    const subscribing = instance.subscribe({ changes: space, prefix: this.#prefix }, this.#hear);
    try {
      this.#undo.push(await bounded(subscribing, call, instance.time, instance.backend.name));
    } catch (error) {
      // Nobody listens any more. If it failed, `error` has the reason already.
      subscribing.then(
        (stop) => stop(),
        () => undefined,
      );
      throw error;
    }
    const { signal } = call;
    this.#undo.push(onAbort(signal, this.#end), instance.register({ end: async () => this.#end() }));
    if (signal?.aborted) this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Change<T>, void>> {
    return this.#changes.next();
  }

  return(): Promise<IteratorResult<Change<T>, void>> {
    this.#end();
    return this.#changes.return();
  }

  readonly #hear = (signal: Signal): void => {
    if (signal.type === "changed") this.#pending.add(signal.key.key);
    else if (signal.type === "gap") this.#gap = true;
    if (this.#pending.size > mostPending) {
      this.#pending.clear();
      this.#gap = true;
    }
    this.#wake();
  };

  readonly #end = (): void => {
    this.#ended = true;
    for (const undo of this.#undo.splice(0)) undo();
    this.#pending.clear();
    this.#wake();
    this.#resume();
  };

  async *#run(): AsyncGenerator<Change<T>, void, undefined> {
    try {
      let listing = this.#initial ? this.#list() : undefined;
      while (!this.#ended) {
        if (this.#gap) {
          this.#gap = false;
          this.#core.instance.events.emit("gap", { name: this.#core.source.name });
          yield { type: "gap" };
          if (this.#initial) listing = this.#list();
        }
        // Changes are read between the pages of a listing too, so that they cannot pile up and no older state comes
        // last.
        if (this.#pending.size > 0) yield* this.#untilEnd(await this.#readPending());
        if (listing) {
          const page = await this.#page(listing);
          if (page === "failed") listing = this.#list();
          else if (page) yield* this.#untilEnd(page);
          else listing = undefined;
        } else if (!this.#gap && this.#pending.size === 0) await this.#signalled();
      }
    } finally {
      this.#end();
    }
  }

  /** Yields changes until the watch ends: later ones are not wanted. */
  *#untilEnd(changes: readonly Change<T>[]): Generator<Change<T>, void, undefined> {
    for (const change of changes) {
      if (this.#ended) return;
      yield change;
    }
  }

  #list(): Listing<T> {
    return pages(this.#core, this.#prefix, Infinity, undefined);
  }

  /** The next page of the listing; `undefined` after the last one. */
  async #page(listing: Listing<T>): Promise<readonly Change<T>[] | "failed" | undefined> {
    try {
      const page = await listing.next();
      return page.done ? undefined : page.value.map((entry): Change<T> => ({ type: "save", entry }));
    } catch (error) {
      await this.#pauseAfter(error);
      return "failed";
    }
  }

  /** The state of some of the keys that changed. */
  async #readPending(): Promise<readonly Change<T>[]> {
    const keys: string[] = [];
    for (const key of this.#pending) {
      keys.push(key);
      if (keys.length === stride) break;
    }
    for (const key of keys) this.#pending.delete(key);
    try {
      const entries = await loadEntries(this.#core, keys, undefined);
      return keys.map((key): Change<T> => {
        const entry = entries.get(key);
        return entry ? { type: "save", entry } : { type: "delete", key };
      });
    } catch (error) {
      await this.#pauseAfter(error);
      for (const key of keys) this.#pending.add(key);
      return [];
    }
  }

  async #signalled(): Promise<void> {
    if (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Waits for a store that is away. Any other error ends the watch. */
  async #pauseAfter(error: unknown): Promise<void> {
    if (this.#ended) return;
    if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
    const { instance, source } = this.#core;
    instance.events.emit("error", { what: `the watch of the store ${source.name}`, error });
    await new Promise<void>((resolve) => {
      const timer = instance.time.after(pauseMs, resolve);
      this.#resume = () => {
        timer.clear();
        resolve();
      };
    });
  }
}
