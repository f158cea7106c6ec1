import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { CellServer } from "../backends/store/memory-store.ts";
import {
  BackendCache,
  BackendLock,
  BackendStateStore,
  decodePart,
  defineBackend,
  loadDriver,
  type BackendSource,
  type Use,
} from "../../src/entries/backend.ts";
import { backendOf, connect, examine, isHoldfastError } from "../../src/entries/index.ts";
import { NullStateStore } from "../../src/entries/null.ts";

interface ToyOptions {
  readonly host: string;
  readonly room?: string;
  readonly use?: Use;
}

/** One for each room of a host. */
const servers = new Map<string, MemoryServer>();
const opened: ToyOptions[] = [];

const toy = defineBackend<ToyOptions>({
  name: "toy",
  schemes: ["toy[s]://"],
  about: "everybody at the table",
  dependency: { name: "toy-client", range: "^2.1.0" },
  fromUrl: ({ hosts: [first], path }, use) => ({
    host: first?.host ?? "",
    room: decodePart(path.slice(1), "the room"),
    use,
  }),
  open(options) {
    opened.push(options);
    const place = `${options.host}/${options.room ?? ""}`;
    let server = servers.get(place);
    if (!server) servers.set(place, (server = new MemoryServer()));
    return memoryBackend({ server });
  },
});

class ToyStateStore<T = unknown> extends BackendStateStore<T> {}
class ToyCache<V = unknown> extends BackendCache<V> {}
class ToyLock extends BackendLock {}

describe("a backend that somebody else defines", () => {
  it("is made by its options, for connect and for the constructors of its classes", async () => {
    const backend = toy({ host: "a" });
    const store = new ToyStateStore<number>(backend, "s");
    const lock = new ToyLock(backend, "l");
    await lock.run("k", async (lease) => store.save("k", 1, { lease }));
    assert.equal(await new ToyCache<number>(backend, "c", { ttl: "1m" }).getOrSet("k", () => 2), 2);
    const hf = await connect(backend);
    assert.equal(await hf.state("s").load("k"), 1);
    await hf.close();
    assert.ok(await lock.tryAcquire("held"));
    await backend.close();
    await assert.rejects(lock.tryAcquire("held"), { code: "UNAVAILABLE" });
    const again = await connect(toy({ host: "a" }));
    assert.ok(await again.lock("l").tryAcquire("held"), "closing released it");
    await again.close();
  });

  it("is reached by its URL, also for caches alone", async () => {
    const options = { backends: [toy] };
    const hf = await connect("toy://b/my%20room", { ...options, cache: "toys://c" });
    await hf.state("s").save("k", 1);
    await hf.close();
    const seen = opened.slice(-2);
    assert.deepEqual(seen, [
      { host: "b", room: "my room", use: "all" },
      { host: "c", room: "", use: "cache" },
    ]);
    const backend = await backendOf("toy://b/my%20room", options);
    assert.equal(await new ToyStateStore(backend, "s").load("k"), 1);
    await backend.close();
    const found = await examine("toy://b", options);
    assert.equal(found.capabilities.exclusion, "exact");
  });

  it("may be a store, of which the engine makes the backend", async () => {
    const server = new CellServer({ atomic: "any", messages: true });
    const cells = defineBackend({
      name: "cells",
      schemes: ["cells:"],
      fromUrl: () => undefined,
      open: () => server.store(),
    });
    const hf = await connect("cells:", { backends: [cells] });
    assert.equal(hf.backend, "cells");
    assert.equal(hf.capabilities.transact, "full");
    await hf.lock("l").run("k", async (lease) => hf.state("s").save("k", 1, { lease }));
    await hf.close();
    const backend = cells(undefined);
    assert.equal(await new ToyStateStore(backend, "s").load("k"), 1);
    await backend.close();
    const neither = defineBackend({ ...cells, name: "neither", open: () => Promise.resolve(server.store()) as never });
    assert.throws(() => neither(undefined), { code: "INVALID_ARGUMENT", message: /store or a backend, at once/ });
  });

  it("comes before one of the package, and is known only where it is named", async () => {
    const mine = defineBackend({ ...toy, name: "mine", schemes: ["memory:"], fromUrl: () => ({ host: "mine" }) });
    const hf = await connect("memory:", { backends: [mine] });
    assert.equal(opened.at(-1)?.host, "mine");
    await hf.close();
    await assert.rejects(
      connect("toy://b"),
      /scheme is unknown; the known schemes are etcd\[s\]:\/\/, file:, memcached\[s\]:\/\/, memory:, mysql:\/\/,/,
    );
    await assert.rejects(
      connect("other:", { backends: [toy] }),
      /known schemes are toy\[s\]:\/\/, etcd\[s\]:\/\/, file:/,
    );
  });

  it("tells its name, schemes and driver", () => {
    assert.equal(toy.name, "toy");
    assert.deepEqual(toy.schemes, ["toy[s]://"]);
    assert.deepEqual(toy.dependency, { name: "toy-client", range: "^2.1.0" });
  });

  it("says how to install a driver that is missing", async () => {
    const loading = loadDriver("toy", { name: "toy-client", range: "^2.1.0" }, () => Promise.reject(new Error("no")));
    await assert.rejects(loading, (error: Error) => {
      assert.ok(isHoldfastError(error, "UNSUPPORTED"));
      assert.match(error.message, /the toy backend needs the package toy-client, .*: npm install toy-client@2$/);
      return true;
    });
  });

  const valid: BackendSource<ToyOptions> = {
    name: "toy",
    schemes: ["toy:"],
    fromUrl: () => ({ host: "a" }),
    open: () => memoryBackend(),
  };
  const refused: readonly (readonly [what: object | undefined, why: RegExp])[] = [
    [undefined, /name/],
    [{ ...valid, name: "Toy" }, /name/],
    [{ ...valid, name: "" }, /name/],
    [{ ...valid, schemes: [] }, /schemes/],
    [{ ...valid, schemes: "toy:" }, /schemes/],
    [{ ...valid, schemes: ["toy"] }, /toy:\/\//],
    [{ ...valid, schemes: ["Toy:"] }, /toy:\/\//],
    [{ ...valid, schemes: ["toy[s:"] }, /toy:\/\//],
    [{ ...valid, schemes: ["toy:///"] }, /toy:\/\//],
    [{ ...valid, about: "" }, /about/],
    [{ ...valid, dependency: "toy" }, /dependency/],
    [{ ...valid, dependency: { name: "toy" } }, /dependency/],
    [{ ...valid, fromUrl: undefined }, /fromUrl/],
    [{ ...valid, open: undefined }, /open/],
  ];

  it("is refused where its definition is not valid, by connect too", async () => {
    for (const [definition, why] of refused) {
      const isRefused = (error: unknown): boolean =>
        isHoldfastError(error, "INVALID_ARGUMENT") && why.test(error.message) && /no definition/.test(error.message);
      assert.throws(() => defineBackend(definition as never), isRefused);
      await assert.rejects(connect("memory:", { backends: [definition as never] }), isRefused);
    }
    await assert.rejects(connect("memory:", { backends: toy as never }), { code: "INVALID_ARGUMENT" });
  });
});

describe("backendOf", () => {
  it("gives the backend that a URL means, for the constructors of its classes", async () => {
    const backend = await backendOf("null:");
    assert.equal(backend.name, "null");
    const store = new NullStateStore(backend, "s");
    await store.save("k", 1);
    await backend.close();
    await assert.rejects(store.save("k", 1), { code: "UNAVAILABLE" });
  });

  it("opens nothing and loads no driver", async () => {
    const backend = await backendOf("redis://127.0.0.1:1");
    assert.equal(backend.name, "redis");
    await backend.close();
    await assert.rejects(backendOf("redis://127.0.0.1:1/x"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(backendOf(7 as never), /must be a string/);
  });
});
