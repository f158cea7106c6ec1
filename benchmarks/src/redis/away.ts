import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { redis, RedisCache } from "holdfast/redis";
import { format } from "../measure.ts";

/** A port of this machine that nobody listens on, or where whoever connects is never answered. */
async function port(answers: boolean): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  if (!answers) {
    server.close();
    await once(server, "close");
  }
  return { port: free, server };
}

async function took(calls: number, call: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) await call(i);
  return (performance.now() - start) / calls;
}

/** What a cache costs whose store is away: the first call, those after it, and what must tell that it failed. */
export async function away(scale: number): Promise<void> {
  for (const [name, accepts] of [
    ["refuses", false],
    ["never answers", true],
  ] as const) {
    const store = await port(accepts);
    const backend = redis({ url: `redis://127.0.0.1:${store.port}` });
    const cache = new RedisCache<number>(backend, "orders", { ttl: "5m" });
    const calls = Math.ceil(20_000 * scale);
    const load = (): number => 1;
    const first = await took(1, () => cache.getOrSet("first", load));
    const getOrSet = await took(calls, (i) => cache.getOrSet(`order-${i}`, load));
    const get = await took(calls, (i) => cache.get(`order-${i}`));
    const set = await took(calls, (i) => cache.set(`order-${i}`, 1));
    const gone = await took(1, () => cache.delete("first").catch(() => false));
    console.log(`\ncache: a store that ${name}`);
    console.log(`  first getOrSet      ${format(first)} ms`);
    for (const [what, ms] of [["getOrSet", getOrSet] as const, ["get", get] as const, ["set", set] as const])
      console.log(`  ${`then ${what}`.padEnd(18)}  ${format(ms * 1_000)} us`);
    console.log(`  delete, which fails ${format(gone)} ms`);
    await backend.close();
    store.server.close();
  }
}
