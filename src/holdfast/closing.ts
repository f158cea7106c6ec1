import { Instance } from "../client/index.ts";
import type { Backend } from "../port/index.ts";
import { DEFAULT_DRAIN } from "./options.ts";

/**
 * Makes the close of a backend first close the instance that constructors share on it, as `close` of a `connect` does.
 * A backend does not know its instances, and nobody else owns that one.
 */
export function closingShared<B extends Backend>(backend: B): B {
  const close = backend.close.bind(backend);
  return Object.assign(backend, {
    async close(): Promise<void> {
      await Instance.closeShared(backend, DEFAULT_DRAIN);
      await close();
    },
  });
}
