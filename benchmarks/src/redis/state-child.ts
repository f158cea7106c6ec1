// One client in a process of its own: loads and saves as often as it is told. Started by state.ts.
import { inFlight, order } from "../measure.ts";
import { connectOwn, connectRaw } from "./clients.ts";

// More keys than calls in flight: equal reads would be answered together, and writes of one key wait for each other.
const COUNT = 10_000;

const account = { balance: 1 };
const session = {
  id: "session-4711",
  user: { id: 815, name: "Ann Example", email: "ann@example.org" },
  roles: ["reader", "editor"],
  seen: "2026-01-01T00:00:00.000Z",
  theme: "dark",
  csrf: "f3b1c2d4e5f60718293a4b5c6d7e8f90",
};
const values = { account, session, order } as const;

/** What a child is told first. */
export interface Start {
  readonly url: string;
  readonly client: keyof typeof clients;
}

/** What it is told after that; no operations, and it ends. */
export interface Work {
  readonly does: "load" | "save";
  readonly value: keyof typeof values;
  /** Calls under way at a time. */
  readonly width: number;
  readonly operations: number;
}

interface Client {
  load(key: string): Promise<unknown>;
  save(key: string, value: unknown): Promise<unknown>;
  close(): Promise<unknown>;
}

const clients = {
  async holdfast(url: string): Promise<Client> {
    const hf = await connectOwn(url);
    const store = hf.state<unknown>("values");
    return {
      load: (key) => store.load(key),
      save: (key, value) => store.save(key, value),
      close: () => hf.close(),
    };
  },
  async raw(url: string): Promise<Client> {
    const client = await connectRaw(url);
    return {
      load: async (key) => JSON.parse((await client.get(key)) as string) as unknown,
      save: (key, value) => client.set(key, JSON.stringify(value)),
      close: () => client.close(),
    };
  },
} as const;

process.once("message", (start) => void prepare(start as Start));

async function prepare({ url, client: name }: Start): Promise<void> {
  const client = await clients[name](url);
  const keys = {} as Record<Work["value"], readonly string[]>;
  for (const value of ["account", "session", "order"] as const) {
    keys[value] = Array.from({ length: COUNT }, (_, i) => `${value}-${i}`);
    await Promise.all(keys[value].map((key) => client.save(key, values[value])));
  }
  process.on("message", (work) => void run(work as Work));
  process.send?.("ready");

  async function run({ does, value, width, operations }: Work): Promise<void> {
    const at = (i: number): string => keys[value][i % COUNT] as string;
    if (operations === 0) await client.close();
    else if (does === "load") await inFlight(operations, width, (i) => client.load(at(i)));
    else await inFlight(operations, width, (i) => client.save(at(i), values[value]));
    process.send?.("done", () => {
      if (operations === 0) process.exit(0);
    });
  }
}
