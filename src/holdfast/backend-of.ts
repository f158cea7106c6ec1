import type { Backend, BackendDefinition, Use } from "../port/index.ts";

/** Options of `backendOf`. */
export interface BackendOfOptions {
  /** More backends than those of this package, as `defineBackend` gave them. They come before these. */
  readonly backends?: readonly BackendDefinition[] | undefined;
  /** What it is to be used for: `"cache"` where it holds caches only, and may lose what it likes. Default `"all"`. */
  readonly use?: Use | undefined;
}

/**
 * The backend that a URL means, for the constructors of a backend and for `connect`. No I/O: it loads the backend's
 * own code; the driver is loaded on first use. It is yours to close, which closes first what constructors made on it.
 *
 * Rejects with InvalidArgumentError for a URL that is not valid or means no backend.
 */
export async function backendOf(url: string, options?: BackendOfOptions): Promise<Backend> {
  const { findBackend } = await import("./registry.ts");
  return findBackend(url, options?.use ?? "all", options?.backends);
}
