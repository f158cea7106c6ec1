// State on NATS beside its own client, on a server that is started for it.
//
//   node --expose-gc src/nats.ts [--operations 20000] [--rounds 5]
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Kvm } from "@nats-io/kv";
import { connect } from "../../src/entries/index.ts";
import { startNats } from "../../tests/support/nats/server.ts";
import { compare, inFlight, type Contender } from "./measure.ts";

const { values } = parseArgs({
  options: {
    operations: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
  },
});
const operations = Number(values.operations);
const rounds = Number(values.rounds);
const keys = 1_000;
const keyOf = (i: number): string => `key-${i % keys}`;
const order = { id: 7, text: "v".repeat(900) };

const server = await startNats({ kind: "nats" });
console.log(`NATS ${server.version}, ${availableParallelism()} cores, Node ${process.version}`);
const hf = await connect(`${server.url}/own`);
const store = hf.state<typeof order>("orders");
const connection = await server.connect();
const bucket = await new Kvm(connection).create("raw", { history: 1 });

const ways: Readonly<Record<string, Readonly<Record<string, (key: string) => Promise<unknown>>>>> = {
  load: {
    holdfast: async (key) => store.load(key),
    "@nats-io/kv get": async (key) => (await bucket.get(key))?.json(),
  },
  save: {
    holdfast: async (key) => store.save(key, order),
    "@nats-io/kv put": async (key) => bucket.put(key, JSON.stringify(order)),
  },
  update: {
    holdfast: async (key) => store.update(key, (before) => ({ ...before, id: before.id + 1 })),
    "@nats-io/kv get and update": async (key) => {
      for (;;) {
        const entry = await bucket.get(key);
        if (!entry) throw new Error("it is gone");
        const before = entry.json<typeof order>();
        const next = JSON.stringify({ ...before, id: before.id + 1 });
        const won = await bucket.update(key, next, entry.revision).then(
          () => true,
          () => false,
        );
        if (won) return;
      }
    },
  },
};
try {
  for (let i = 0; i < keys; i++)
    await Promise.all([store.save(keyOf(i), order), bucket.put(keyOf(i), JSON.stringify(order))]);
  for (const [what, each] of Object.entries(ways)) {
    for (const width of [1, 64, 256]) {
      const contenders = Object.entries(each).map(([name, call]): Contender => ({
        name,
        run: async (count) => inFlight(count, width, async (i) => call(keyOf(i))),
      }));
      const count = Math.ceil(operations / (width === 1 ? 10 : 1));
      await compare(`${what}, ${width} in flight, 1 kB`, contenders, { operations: count, rounds });
    }
  }
} finally {
  await hf.close();
  await connection.close();
  await server.stop();
}
