// The client for memcached beside other packages and beside the least that pipelines, on a server that is started for it.
//
//   node --expose-gc src/memcached.ts [--operations 100000] [--rounds 5]
import { availableParallelism } from "node:os";
import { connect } from "node:net";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { MetaClient } from "../../src/backends/memcached/client/client.ts";
import { startMemcached } from "../../tests/support/memcached/server.ts";
import { compare, inFlight, type Contender } from "./measure.ts";

/** What is used of the package `memcached`, which has no types. */
interface Packed {
  get(key: string, done: (error: unknown, value: unknown) => void): void;
  set(key: string, value: Buffer, ttl: number, done: (error: unknown, done: unknown) => void): void;
  end(): void;
}
/** What is used of `memjs`, which has none either. */
interface Binary {
  get(key: string): Promise<unknown>;
  set(key: string, value: Buffer, options: { readonly expires: number }): Promise<unknown>;
  close(): void;
}
const load = async <T>(name: string): Promise<T> => ((await import(name)) as { readonly default: T }).default;

const { values } = parseArgs({
  options: {
    operations: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
  },
});
const operations = Number(values.operations);
const rounds = Number(values.rounds);
const keys = 1_000;
const keyOf = (i: number): string => `key-${i % keys}`;
const value = Buffer.alloc(100, "v");

/** Writes what was asked in a turn at once, and takes what comes for the answers in their order: no more. */
async function bare(port: number) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  let out = "";
  const waiting: ((value: Buffer | undefined) => void)[] = [];
  let head = 0;
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    let input = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = input.indexOf("\r\n");
      if (end < 0) break;
      const line = input.toString("latin1", 0, end);
      let at = end + 2;
      let found: Buffer | undefined;
      if (line.startsWith("VA ")) {
        const size = Number(line.split(" ", 2)[1]);
        if (input.length < at + size + 2) break;
        found = input.subarray(at, at + size);
        at += size + 2;
      }
      input = input.subarray(at);
      (waiting[head++] as (value: Buffer | undefined) => void)(found);
      if (head === waiting.length) waiting.length = head = 0;
    }
    rest = input;
  });
  const send = async (text: string): Promise<Buffer | undefined> => {
    if (out === "") {
      process.nextTick(() => {
        socket.write(out, "latin1");
        out = "";
      });
    }
    out += text;
    return new Promise((resolve) => void waiting.push(resolve));
  };
  const data = value.toString("latin1");
  return {
    get: async (key: string) => send(`mg ${key} v c\r\n`),
    set: async (key: string) => send(`ms ${key} ${data.length} c\r\n${data}\r\n`),
    end: () => socket.destroy(),
  };
}

const server = await startMemcached({ kind: "memcached" });
console.log(`memcached ${server.version}, ${availableParallelism()} cores, Node ${process.version}`);
const own = new MetaClient({ servers: [{ host: server.host, port: server.port }] });
const least = await bare(server.port);
const at = `${server.host}:${server.port}`;
const Packed = await load<new (at: string, options: { readonly poolSize: number }) => Packed>("memcached");
const packed = new Packed(at, { poolSize: 10 });
const binary = (await load<{ readonly Client: { create(at: string): Binary } }>("memjs")).Client.create(at);
const limit = { deadline: performance.now() + 3_600_000 };
const promised = async <T>(call: (done: (error: unknown, result: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error as Error) : resolve(result))));

const gets: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
  holdfast: async (key) => own.get(key, undefined, limit),
  "bare pipeline": least.get,
  memcached: async (key) => promised((done) => packed.get(key, done)),
  memjs: async (key) => binary.get(key),
};
const sets: typeof gets = {
  holdfast: async (key) => own.set(key, value, {}, limit),
  "bare pipeline": least.set,
  memcached: async (key) => promised((done) => packed.set(key, value, 0, done)),
  memjs: async (key) => binary.set(key, value, { expires: 0 }),
};
try {
  for (let i = 0; i < keys; i++) await own.set(keyOf(i), value, {}, limit);
  for (const [what, ways] of Object.entries({ get: gets, set: sets })) {
    for (const width of [1, 64, 1_024]) {
      const run = (each: (key: string) => Promise<unknown>) => async (count: number) =>
        inFlight(count, width, async (i) => each(keyOf(i)));
      const contenders = Object.entries(ways).map(([name, each]): Contender => ({ name, run: run(each) }));
      const count = Math.ceil(operations / (width === 1 ? 10 : 1));
      await compare(`${what}, ${width} in flight, 100 bytes`, contenders, { operations: count, rounds });
    }
  }
} finally {
  own.close();
  least.end();
  packed.end();
  binary.close();
  await server.stop();
}
