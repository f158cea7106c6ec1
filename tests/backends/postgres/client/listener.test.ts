import assert from "node:assert/strict";
import { once } from "node:events";
import { EventEmitter } from "node:events";
import { after, afterEach, before, describe, it } from "node:test";
import type { Listener } from "../../../../src/backends/postgres/client.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { postgresUrl, startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { Clients, soon } from "./support.ts";

/** What a listener has told. */
class Heard extends EventEmitter {
  readonly all: string[] = [];

  readonly listening = {
    notified: (channel: string, payload: string): void => this.#add(`${channel}: ${payload}`),
    gap: (): void => this.#add("gap"),
  };

  /** Resolves when it was told. */
  async was(what: string): Promise<void> {
    while (!this.all.includes(what)) await once(this, "heard", { signal: AbortSignal.timeout(20_000) });
  }

  #add(what: string): void {
    this.all.push(what);
    this.emit("heard");
  }
}

void describe("a listener on Postgres", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  let proxy: FaultProxy;
  const clients = new Clients();
  before(async () => {
    server = await startPostgres({ kind: "postgres15" });
    proxy = await FaultProxy.start({ port: server.port });
  });
  afterEach(async () => {
    proxy.set({ kind: "none" });
    await clients.close();
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  function listenerOf(heard: Heard): Listener {
    return clients.make(postgresUrl(proxy.port)).listener(heard.listening);
  }
  async function notify(channel: string, payload: string): Promise<void> {
    await server.query(`SELECT pg_notify('${channel}', '${payload}')`);
  }

  void it("tells of its channels from when it says so, whatever they are called, and of no other", async () => {
    const heard = new Heard();
    const listener = listenerOf(heard);
    await Promise.all(["a", 'B"; UNLISTEN *', "c"].map(async (name) => listener.listen(name, soon().deadline)));
    await notify("a", "1");
    await notify('B"; UNLISTEN *', "2");
    await notify("other", "3");
    listener.unlisten("c");
    await notify("c", "4");
    await notify("a", "5");
    await heard.was("a: 5");
    assert.deepEqual(heard.all, ["a: 1", 'B"; UNLISTEN *: 2', "a: 5"]);
  });

  void it("tells of a channel that was left and is listened to again", async () => {
    const heard = new Heard();
    const listener = listenerOf(heard);
    for (let i = 0; i < 20; i++) {
      await listener.listen("a", soon().deadline);
      listener.unlisten("a");
    }
    await listener.listen("a", soon().deadline);
    await notify("a", "1");
    await heard.was("a: 1");
  });

  void it("comes back when it was terminated, with all channels, and tells of the gap", async () => {
    const heard = new Heard();
    const listener = listenerOf(heard);
    await listener.listen("a", soon().deadline);
    await listener.listen("b", soon().deadline);
    await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    await heard.was("gap");
    await notify("b", "1");
    await heard.was("b: 1");
    assert.deepEqual(heard.all, ["gap", "b: 1"]);
  });

  void it("finds out a silent network by itself", async () => {
    const heard = new Heard();
    const listener = listenerOf(heard);
    await listener.listen("a", soon().deadline);
    proxy.set({ kind: "silence" });
    await heard.was("gap");
    await notify("a", "1");
    await heard.was("a: 1");
  });

  void it("waits for a server that is away until the deadline", async () => {
    const heard = new Heard();
    const listener = listenerOf(heard);
    proxy.set({ kind: "refuse" });
    await assert.rejects(listener.listen("a", soon(300).deadline), { code: "UNAVAILABLE" });
    const listening = listener.listen("b", soon().deadline);
    proxy.set({ kind: "none" });
    await listening;
    await notify("a", "1");
    await notify("b", "2");
    await heard.was("b: 2");
    assert.deepEqual(heard.all, ["b: 2"]);
  });

  void it("ends with its client", async () => {
    const heard = new Heard();
    const client = clients.make(postgresUrl(proxy.port));
    const listener = client.listener(heard.listening);
    await listener.listen("a", soon().deadline);
    await client.close();
    await assert.rejects(listener.listen("b", soon().deadline), { code: "UNAVAILABLE", message: /is closed/ });
    assert.deepEqual(await server.query("SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"), []);
  });
});
