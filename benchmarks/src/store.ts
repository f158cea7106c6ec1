import { connect, type Holdfast } from "holdfast";
import { createClient } from "redis";
import { ownRedis } from "../../examples/own-backend/backend.ts";
import { compare, inFlight, type Contender } from "./measure.ts";
import { RAW_ACQUIRE, RAW_RELEASE } from "./redis/clients.ts";
import { startServer } from "./redis/server.ts";

// What the engine on a store costs: the backend of one file on Redis beside Redis' own and the raw client.
const scale = Number(process.env["SCALE"] ?? 1);
const keys = Array.from({ length: 10_000 }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % keys.length] as string;
const session = { user: "4711", roles: ["reader", "writer"], since: 1_767_225_600_000, csrf: "x".repeat(100) };

const server = await startServer();
console.log(server.version);

/** Instances as in processes of their own: each with a connection, sharing nothing here. */
interface Side {
  readonly name: string;
  readonly instances: readonly Holdfast[];
}
const store = await side("on a store", async () => connect(ownRedis({ url: server.url, prefix: "own" })));
const own = await side("Redis' own backend", async () => connect(`${server.url}?settings=warn`, { service: "bench" }));
const raw = createClient({ url: server.url, commandOptions: { timeout: 0 } });
raw.on("error", () => {});
await raw.connect();

async function side(name: string, open: () => Promise<Holdfast>): Promise<Side> {
  return { name, instances: await Promise.all(Array.from({ length: 4 }, open)) };
}

async function beside(
  title: string,
  width: number,
  operations: number,
  each: (hf: Holdfast, i: number) => Promise<unknown>,
  rawEach?: (i: number) => Promise<unknown>,
): Promise<void> {
  const contenders = [store, own].map(({ name, instances: [hf] }): Contender => ({
    name,
    run: (n) => inFlight(n, width, (i) => each(hf as Holdfast, i)),
  }));
  if (rawEach) contenders.push({ name: "raw client", run: (n) => inFlight(n, width, rawEach) });
  await compare(`${title}, ${width} in flight`, contenders, { operations: Math.ceil(operations * scale), rounds: 5 });
}

const text = JSON.stringify(session);
for (const [width, operations] of [
  [1, 2_000],
  [64, 20_000],
  [1_024, 40_000],
] as const) {
  const orders = (hf: Holdfast) => hf.state<typeof session>("orders");
  await beside(
    "save",
    width,
    operations,
    (hf, i) => orders(hf).save(keyAt(i), session),
    (i) => raw.set(keyAt(i), text),
  );
  await beside(
    "load",
    width,
    operations,
    (hf, i) => orders(hf).load(keyAt(i)),
    async (i) => JSON.parse((await raw.get(keyAt(i))) ?? "0"),
  );
}
const bump = (value: typeof session) => ({ ...value, since: value.since + 1 });
await beside("update, 10,000 keys", 64, 10_000, (hf, i) => hf.state<typeof session>("orders").update(keyAt(i), bump));
await beside(
  "lock: acquire and release, nobody waits",
  64,
  10_000,
  async (hf, i) => (await hf.lock("free").acquire(keyAt(i))).release(),
  async (i) => {
    const key = `lock-${i}`;
    await raw.eval(RAW_ACQUIRE, { keys: [key], arguments: ["me", "30000"] });
    await raw.eval(RAW_RELEASE, { keys: [key], arguments: ["me"] });
  },
);
await beside("guarded save under a lease", 64, 5_000, (hf, i) =>
  hf.lock("guard").run(keyAt(i), async (lease) => hf.state("orders").save(keyAt(i), session, { lease })),
);

/** Turns of a lock that four instances want all the time, each with one caller: it is passed from one to the other. */
const hot = [store, own].map(({ name, instances }): Contender => ({
  name,
  async run(turns) {
    let left = turns;
    const caller = async (hf: Holdfast): Promise<void> => {
      while (left-- > 0) await (await hf.lock("hot").acquire("k", { wait: "60s" })).release();
    };
    await Promise.all(instances.map(caller));
  },
}));
await compare("hot lock, passed between four instances (turns)", hot, {
  operations: Math.ceil(400 * scale),
  rounds: 5,
});

for (const { instances } of [store, own]) await Promise.all(instances.map((hf) => hf.close()));
raw.destroy();
await server.stop();
process.exit();
