// State and locks on etcd beside a put and a range of its own for each call, on a server that is started for it.
//
//   node --expose-gc src/etcd.ts [--operations 20000] [--rounds 3] [--flushes]
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Connection, type Method } from "../../src/backends/etcd/client/index.ts";
import { connect } from "../../src/entries/index.ts";
import { startEtcd } from "../../tests/support/etcd/server.ts";
import { compare, inFlight, type Contender } from "./measure.ts";

const { values } = parseArgs({
  options: {
    operations: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    flushes: { type: "boolean", default: false },
  },
});
const operations = Number(values.operations);
const rounds = Number(values.rounds);
const keys = 1_000;
const value = "v".repeat(1_000);
const txn: Method = { path: "KV/Txn", asks: "Txn", gets: "Txned" };
const range: Method = { path: "KV/Range", asks: "Range", gets: "Ranged" };

const server = await startEtcd({ kind: "etcd35", flushes: values.flushes });
console.log(`etcd ${server.version}, ${availableParallelism()} cores, Node ${process.version}`);
const raw = await Connection.open(`http://127.0.0.1:${server.port}`, undefined, 5_000);
const alive = setInterval(() => undefined, 1_000); // a connection keeps no process alive
const hf = await connect(server.url);
const store = hf.state<string>("bench");
const lock = hf.lock("bench");
const bare = async (method: Method, message: Parameters<Connection["call"]>[1]): Promise<unknown> =>
  raw.call(method, message, {}, 30_000);
const keyOf = (i: number): Buffer => Buffer.from(`raw/${i % keys}`);
const put = async (i: number): Promise<unknown> =>
  bare(txn, { success: [{ put: { key: keyOf(i), content: Buffer.from(value) } }] });

const calls: Readonly<Record<string, Readonly<Record<string, (i: number) => Promise<unknown>>>>> = {
  save: { holdfast: async (i) => store.save(`${i % keys}`, value), "bare put": put },
  load: {
    holdfast: async (i) => store.load(`${i % keys}`),
    "bare range": async (i) => bare(range, { key: keyOf(i) }),
  },
  "lock and release": {
    holdfast: async (i) => lock.run(`${i % keys}`, async () => undefined),
    "two bare puts": async (i) => put(i).then(async () => put(i)),
  },
};
try {
  for (const [what, ways] of Object.entries(calls)) {
    for (const width of [1, 64, 256]) {
      const contenders = Object.entries(ways).map(([name, each]): Contender => ({
        name,
        run: async (count) => inFlight(count, width, each),
      }));
      const count = Math.ceil(operations / (width === 1 ? 10 : 1));
      await compare(`${what}, ${width} in flight, 1 kB`, contenders, { operations: count, rounds });
    }
  }
} finally {
  clearInterval(alive);
  await hf.close();
  raw.close();
  await server.stop();
}
