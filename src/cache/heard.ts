import type { Instance } from "../client/index.ts";

const heard = new WeakMap<Instance, Map<object, number>>();

/** Keeps a cache as long as somebody listens to it, though nobody may hold it: until the function is called. */
export function keepHeard(instance: Instance, cache: object): () => void {
  let caches = heard.get(instance);
  if (!caches) heard.set(instance, (caches = new Map<object, number>()));
  caches.set(cache, (caches.get(cache) ?? 0) + 1);
  let over = false;
  return () => {
    if (over) return;
    over = true;
    const left = (caches.get(cache) ?? 1) - 1;
    if (left > 0) caches.set(cache, left);
    else caches.delete(cache);
  };
}
