import { Instance } from "../client/index.ts";
import type { Backend } from "../port/index.ts";
import { DEFAULT_DRAIN } from "./options.ts";

/**
 * Makes closing a backend close first what constructors made on it, as `close` of a `connect` does: a backend knows
 * no client, and the instance that they share has no owner who could close it.
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
