// Redis: state, locks and cache beside the raw client and other packages. Starts a server of its own.
//
//   node --expose-gc src/redis/run.ts [parts...] [--url redis://...] [--scale 0.1] [--seconds 4] [--rounds 3] [--locks a,b]
//
// Parts: state, updates, locks, contended, cache, away, limit; all of them unless told.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { withheld } from "../withheld.ts";
import { away } from "./away.ts";
import { cache } from "./cache.ts";
import { contended, contenders } from "./contended.ts";
import { limit } from "./limit.ts";
import { locks } from "./locks.ts";
import { startServer } from "./server.ts";
import { state, updates } from "./state.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string" },
    scale: { type: "string", default: "1" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    locks: { type: "string", default: contenders.join(",") },
  },
});
const scale = Number(values.scale);
const peers = values.locks.split(",");

const server = values.url === undefined ? await startServer() : undefined;
const url = server?.url ?? (values.url as string);
console.log(`${server?.version ?? url}, ${availableParallelism()} cores, Node ${process.version}`);

const parts: Readonly<Record<string, () => Promise<void>>> = {
  state: () => state(url, scale),
  updates: () => updates(url, scale),
  locks: () => locks(url, peers, scale),
  contended: () => contended({ url, peers, measureMs: Number(values.seconds) * 1_000, rounds: Number(values.rounds) }),
  cache: () => cache(url, scale),
  away: () => away(scale),
  limit: () => limit(Number(new URL(url).port), server?.load ?? ["redis-benchmark"], scale),
};
try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
    const part = parts[name];
    if (part === undefined) throw new Error(`no such part: ${name}; there are ${Object.keys(parts).join(", ")}`);
    const share = withheld();
    await part();
    const percent = share();
    if (percent !== undefined)
      console.log(`\n${name}: the host withheld ${percent.toFixed(1)} % of the cores' time meanwhile`);
  }
} finally {
  await server?.stop();
}
