import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { createConsumer, publicSpecifiers, type Consumer } from "./support/consumer.ts";
import { execute } from "./support/process.ts";

const everything = publicSpecifiers()
  .map((specifier, index) => `import * as subpath${index} from "${specifier}";\nexport { subpath${index} };\n`)
  .join("");

const typed = `
import { Cache, connect, Holdfast, Lock, StateStore } from "holdfast";
import type { CacheEntry, Entry, Holder, Lease, StoredRun } from "holdfast";
import { memory, MemoryLock, MemoryStateStore } from "holdfast/memory";

interface Order { readonly sku: string; readonly paid: boolean }

export async function use(): Promise<string> {
  const hf = await connect("memory:", { service: "s" });
  const orders: StateStore<Order> = hf.state<Order>("orders");
  const version: string = await orders.save("42", { sku: "a", paid: false });
  const order: Order | undefined = await orders.load("42");
  const updated: Entry<Order> | undefined = await orders.update("42", (current) => ({ ...current, paid: true }));
  const ran: number = await hf.lock("orders").run("42", async (lease: Lease) => Number(lease.fence), { ttl: "10s" });
  const taken: Entry<Order> | undefined = await orders.take("42", { timeout: "1s" });
  const there: [boolean, boolean, number] = [await orders.has("42"), await orders.touch("42", "1h"), await orders.clear()];
  await orders.save("42", { sku: "a", paid: true }, { expiresAt: new Date() });
  await orders.upsert("42", (current) => current ?? { sku: "a", paid: true }, { ttl: "1m", keepTtl: true });
  for await (const key of orders.keys({ prefix: "4" })) key.trim();
  const moved = await hf.transact(async (tx) => (await tx.touch(orders, "42", "never")) && (await tx.take(orders, "42")));
  const cache: Cache<number> = hf.cache<number>("prices", { ttl: "5m" });
  await cache.setMany([["btc", 1], { key: "eth", value: 2, ttl: "never", tags: ["t"] }]);
  const entry: CacheEntry<number> | undefined = await cache.getEntry("btc");
  const set: Set<string> = await cache.hasMany(["btc"]);
  // @ts-expect-error: an update of what is there keeps its ttl unless told
  await orders.update("42", (current) => current, { keepTtl: true });
  // @ts-expect-error: an entry of another type
  await cache.setMany([{ key: "eth", value: "2" }]);
  const lock = hf.lock("orders");
  for await (const one of lock.list()) if (one.kind !== "result") one.owner.trim();
  const held: Holder | undefined = await lock.inspect("42", { kind: "election" });
  if (held) await lock.forceRelease(held.key, "it is stuck", held);
  const run: StoredRun | undefined = await lock.inspect("payment-7", { kind: "result" });
  if (run?.state === "failed") await lock.forget("payment-7", { timeout: "1s" });
  // @ts-expect-error: no such kind
  await lock.inspect("42", { kind: "mutex" });
  const price: number = await hf.cache<number>("prices", { ttl: "5m" }).getOrSet("btc", ({ signal }) => (signal.aborted ? 0 : 1));
  // @ts-expect-error: a value of another type
  await orders.save("42", { sku: 1 });
  // @ts-expect-error: no such option
  await hf.lock("orders").tryAcquire("42", { timeToLive: 1 });
  await hf.close();
  return version + String([taken, there, moved, entry?.expiresAt, set.size]) + String(order?.sku) + String(updated?.version) + String(ran + price);
}

/** As tokens of an injector, and with instanceof. */
export const tokens: readonly (abstract new (...never: never) => object)[] = [Holdfast, StateStore, Cache, Lock];
export class Service {
  constructor(readonly hf: Holdfast, readonly orders: StateStore<Order>, readonly prices: Cache<number>, readonly lock: Lock) {}
}
export async function which(value: unknown): Promise<string | undefined> {
  if (value instanceof Holdfast) return value.service;
  return value instanceof StateStore && (await value.has("42")) ? value.name : undefined;
}

export function wire(): [MemoryStateStore<Order>, MemoryLock] {
  const backend = memory();
  return [new MemoryStateStore<Order>(backend, "orders", { service: "s" }), new MemoryLock(backend, "orders")];
}
`;

/** A backend of somebody else's, and what binds the conformance suites to it. */
const backend = `
import { connect } from "holdfast";
import { BackendLock, BackendStateStore, defineBackend, type Cell, type Store } from "holdfast/backend";
import { bindSuite, elapse, portCases, type Subject } from "holdfast/testing";

interface ToyOptions { readonly host: string; readonly port?: number | undefined }

function toyStore({ host }: ToyOptions): Store {
  const cells = new Map<string, Cell>();
  let last = 0;
  return {
    atomic: "any",
    declares: { exclusion: "exact", fence: "clock", reads: "linearizable", durability: "none", ttlGranularity: 1,
      shared: "network", clock: "server", maxContent: 2 ** 20 },
    open: async () => ({ domain: host }),
    read: async (keys) => ({ cells: keys.map((key) => cells.get(key)), now: Date.now() }),
    commit: async (transactions) => transactions.map(({ checks, changes }) => {
      if ([...checks, ...changes].some(({ key, revision }) => cells.get(key)?.revision !== revision)) return false;
      for (const { key, content } of changes) {
        if (content) cells.set(key, { content: content.slice(), revision: ++last });
        else cells.delete(key);
      }
      return true;
    }),
    close: async () => undefined,
  };
}

export const toy = defineBackend<ToyOptions>({
  name: "toy",
  schemes: ["toy[s]://"],
  dependency: { name: "toy-client", range: "^2.0.0" },
  fromUrl: ({ hosts: [first] }) => ({ host: first?.host ?? "", port: first?.port }),
  open: toyStore,
});
export class ToyStateStore<T = unknown> extends BackendStateStore<T> {}
export class ToyLock extends BackendLock {}

export async function use(): Promise<number | undefined> {
  const hf = await connect("toy://host", { backends: [toy] });
  await hf.close();
  // @ts-expect-error: no host
  toy({});
  const made = toy({ host: "h" });
  new ToyLock(made, "orders");
  return new ToyStateStore<number>(made, "orders").load("42");
}

const subject: Subject = {
  name: "toy",
  async place() {
    const made = toy({ host: "h" });
    return { backend: () => made, elapse, close: () => made.close() };
  },
};
export const cases = bindSuite("port", portCases, subject);
`;

const strict = {
  target: "es2022",
  lib: ["es2022", "esnext.disposable"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};

const settings: Readonly<Record<string, object>> = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  node20: { module: "node20" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

describe("a typed consumer that checks the declarations of libraries", () => {
  let consumer: Consumer;
  before(async () => {
    // The oldest line of the compiler that knows module "node20", beside the one that builds the package.
    consumer = await createConsumer({ optional: false, packages: ["typescript@5.9", "@types/node@20"] });
    consumer.write("everything.ts", everything);
    consumer.write("required.cts", everything);
    consumer.write("typed.ts", typed);
    consumer.write("backend.ts", backend);
    for (const [name, compilerOptions] of Object.entries(settings)) {
      const include = name === "bundler" ? ["*.ts"] : ["*.ts", "*.cts"];
      consumer.write(
        `tsconfig.${name}.json`,
        JSON.stringify({ compilerOptions: { ...strict, ...compilerOptions }, include }),
      );
    }
  });
  after(() => consumer.remove());

  const compilers: ReadonlyArray<[label: string, bin: () => string]> = [
    ["this repository's compiler", () => path.join(root, "node_modules/.bin/tsc")],
    ["TypeScript 5.9", () => path.join(consumer.folder, "node_modules/.bin/tsc")],
  ];
  for (const [label, bin] of compilers) {
    for (const name of Object.keys(settings)) {
      // It resolves as "node20" does; the compiler that is older takes seconds for each.
      if (name === "nodenext" && label === "TypeScript 5.9") continue;
      it(`compiles with ${name} (${label})`, async () => {
        const { code, stdout } = await execute(bin(), ["-p", `tsconfig.${name}.json`], { cwd: consumer.folder });
        assert.equal(code, 0, stdout);
      });
    }
  }
});
