import type { Backend } from "../../src/port/index.ts";
import { elapse } from "../../src/testing/elapse.ts";
import type { Place } from "../../src/testing/suite.ts";

/** A place whose backends `make` makes; `elapse` waits for real unless told. */
export function place(
  make: () => Backend,
  options: { readonly elapse?: (ms: number) => Promise<void>; readonly remove?: () => Promise<void> } = {},
): Place {
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
