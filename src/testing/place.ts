import type { Backend } from "../port/index.ts";
import { elapse } from "./elapse.ts";
import type { Place } from "./suite.ts";

/** What a place does in its own way. */
export interface PlaceOptions {
  /** How time passes. Default: it is waited for. */
  readonly elapse?: (ms: number) => Promise<void>;
  /** Removes what was stored. */
  readonly remove?: () => Promise<void>;
}

/** A place whose backends `make` makes: clients of the same data, which it closes. */
export function placeOf(make: () => Backend, options: PlaceOptions = {}): Place {
  const made: Backend[] = [];
  return {
    backend() {
      const backend = make();
      made.push(backend);
      return backend;
    },
    elapse: options.elapse ?? elapse,
    async close() {
      await Promise.all(made.map(async (backend) => backend.close()));
      await options.remove?.();
    },
  };
}
