import KeyvRedis from "@keyv/redis";
import Keyv from "keyv";
import { compare, inFlight, order } from "../measure.ts";
import { connectOwn, connectRaw } from "./clients.ts";

const COUNT = 10_000;
const MANY = 100;
const WIDTH = 64;
const keys = Array.from({ length: COUNT }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % COUNT] as string;
const someOf = (i: number): string[] => Array.from({ length: MANY }, (_, n) => keyAt(i * 37 + n));

/** The cache beside Keyv on its Redis adapter, and the raw client. */
export async function cache(url: string, scale: number): Promise<void> {
  const hf = await connectOwn(url);
  const own = hf.cache<typeof order>("orders", { ttl: "5m" });
  const keyv = new Keyv({ store: new KeyvRedis(url), ttl: 300_000 });
  const raw = await connectRaw(url);
  const text = JSON.stringify(order);
  await Promise.all(
    keys.flatMap((key): Promise<unknown>[] => [own.set(key, order), keyv.set(key, order), raw.set(key, text)]),
  );
  const rawGet = (n: number): Promise<void> =>
    inFlight(n, WIDTH, async (i) => JSON.parse((await raw.get(keyAt(i))) as string) as unknown);

  await compare(
    `cache: get of 1 kB, ${WIDTH} in flight`,
    [
      { name: "holdfast get", run: (n) => inFlight(n, WIDTH, (i) => own.get(keyAt(i))) },
      { name: "raw limit: GET and JSON.parse", run: rawGet },
      { name: "keyv and @keyv/redis get", run: (n) => inFlight(n, WIDTH, (i) => keyv.get(keyAt(i))) },
    ],
    { operations: 50_000 * scale, rounds: 5 },
  );
  await compare(
    `cache: a hit of getOrSet, 1 kB, ${WIDTH} in flight`,
    [
      { name: "holdfast getOrSet", run: (n) => inFlight(n, WIDTH, (i) => own.getOrSet(keyAt(i), () => order)) },
      { name: "raw limit: GET and JSON.parse", run: rawGet },
      { name: "keyv and @keyv/redis get", run: (n) => inFlight(n, WIDTH, (i) => keyv.get(keyAt(i))) },
    ],
    { operations: 50_000 * scale, rounds: 5 },
  );
  for (const width of [1, 16]) {
    await compare(
      `cache: getMany of ${MANY} keys of 1 kB, ${width} in flight (calls)`,
      [
        { name: "holdfast getMany", run: (n) => inFlight(n, width, (i) => own.getMany(someOf(i))) },
        {
          name: "raw limit: MGET and JSON.parse",
          run: (n) =>
            inFlight(n, width, async (i) =>
              (await raw.mGet(someOf(i))).map((text) => JSON.parse(text as string) as unknown),
            ),
        },
        { name: "keyv and @keyv/redis get", run: (n) => inFlight(n, width, (i) => keyv.get(someOf(i))) },
      ],
      { operations: 1_000 * scale, rounds: 5 },
    );
  }
  await keyv.disconnect();
  await raw.close();
  await hf.close();
}
