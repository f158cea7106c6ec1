import type { Node, Router } from "./router.ts";

/**
 * The primaries that answer now: all of them, or on a cluster those that are not away. Rejects with UnavailableError
 * where there is none.
 */
export async function reachablePrimaries(router: Router, deadline: number): Promise<readonly Node[]> {
  return router.reachable ? router.reachable(deadline) : (await router.primaries(deadline)).nodes;
}
