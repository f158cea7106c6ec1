import { InvalidArgumentError } from "../base/errors.ts";
import type { Instance } from "../client/index.ts";
import { Asking } from "./asking.ts";
import { Changing } from "./changing.ts";
import { CacheCore } from "./core.ts";
import { resolveCacheOptions, type CacheOptions, type CacheSettings } from "./options.ts";

/** Options that all handles of a cache share. */
const common = ["isolate", "maxItems", "codec"] as const;

/** What the handles of one cache have in common: its entries here, loads under way, counts and events. */
export class CacheParts<V = unknown> {
  readonly core: CacheCore<V>;
  readonly asking: Asking<V>;
  readonly changing: Changing<V>;

  /** No I/O. Throws InvalidArgumentError. */
  constructor(instance: Instance, name: string, options?: CacheOptions) {
    this.core = new CacheCore(instance, name, resolveCacheOptions(options, instance.timeout));
    this.asking = new Asking(this.core);
    this.changing = new Changing(this.core, this.asking);
  }

  /** The settings of a handle. Throws InvalidArgumentError where they contradict those of the cache as a whole. */
  settingsOf(options: CacheOptions = {}): CacheSettings {
    const { settings, instance, name } = this.core;
    const own = resolveCacheOptions(options, instance.timeout);
    const other = common.find((option) => options[option] !== undefined && own[option] !== settings[option]);
    if (other === undefined) return own;
    throw new InvalidArgumentError(
      `the cache ${JSON.stringify(name)} has another ${other} in this process, by the call that was first: ` +
        "all who use it share that, so give it once",
    );
  }
}
