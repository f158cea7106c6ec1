import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { FaultProxy } from "../support/fault-proxy.ts";

// A server that counts what it executes and answers each chunk.
let executed: string[] = [];
const server = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    executed.push(chunk.toString());
    socket.write(`did ${chunk.toString()}`);
  });
});
let proxy: FaultProxy;

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await FaultProxy.start({ port: (server.address() as AddressInfo).port });
});
after(async () => {
  await proxy.close();
  server.close();
});

async function dial(): Promise<Socket> {
  executed = [];
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}

/** `once` would reject with the reset that is expected here. */
function whenClosed(socket: Socket): Promise<void> {
  socket.on("error", () => socket.destroy());
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** One beside the proxy, on this same loop: what was to come would have come. */
async function roundTrip(): Promise<void> {
  const direct = connect((server.address() as AddressInfo).port, "127.0.0.1");
  direct.write("direct");
  await reply(direct);
  direct.destroy();
}

async function reply(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

void test("passes bytes both ways", async () => {
  const socket = await dial();
  socket.write("one");
  assert.equal(await reply(socket), "did one");
  socket.destroy();
});

void test("delays, and keeps the order", async () => {
  const socket = await dial();
  proxy.set({ kind: "delay", ms: 30 });
  const start = performance.now();
  socket.write("one");
  assert.equal(await reply(socket), "did one");
  assert.ok(performance.now() - start >= 55, "once each way");
  proxy.set({ kind: "none" });
  socket.destroy();
});

void test("what comes after a delay does not overtake what was delayed", async () => {
  const socket = await dial();
  proxy.set({ kind: "delay", ms: 50 });
  socket.write("one ");
  await roundTrip();
  assert.deepEqual(executed, ["direct"], "the first is on its way");
  proxy.set({ kind: "none" });
  socket.end("two");
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  assert.deepEqual(executed.slice(1).join(""), "one two");
  assert.match(received, /^did one (did )?two$/);
});

void test("a black hole accepts and says nothing, and lets go when it ends", async () => {
  const socket = await dial();
  proxy.set({ kind: "black-hole" });
  socket.write("one");
  const other = await dial();
  other.write("two");
  const answers = [reply(socket), reply(other)];
  assert.deepEqual(executed, []);
  await roundTrip();
  assert.deepEqual(executed, ["direct"]);
  proxy.set({ kind: "none" });
  assert.deepEqual(await Promise.all(answers), ["did one", "did two"]);
  for (const each of [socket, other]) each.destroy();
});

void test("drops a reply after execution", async () => {
  const socket = await dial();
  proxy.set({ kind: "drop-reply" });
  const dropped = proxy.nextDrop();
  const closed = whenClosed(socket);
  socket.write("pay");
  await Promise.all([dropped, closed]);
  assert.deepEqual(executed, ["pay"]);
  assert.equal(socket.bytesRead, 0);
  proxy.set({ kind: "none" });
});

void test("drops the reply to a request with a certain text, and no other", async () => {
  const socket = await dial();
  const dropped = proxy.nextDrop();
  proxy.set({ kind: "drop-reply", to: "COMMIT" });
  socket.write("one");
  assert.equal(await reply(socket), "did one");
  socket.write("two; COMMIT");
  await whenClosed(socket);
  await dropped;
  proxy.set({ kind: "none" });
  assert.deepEqual(executed, ["one", "two; COMMIT"]);
});

void test("cuts what is open and refuses what is new", async () => {
  const socket = await dial();
  const closed = whenClosed(socket);
  socket.write("one");
  await reply(socket);
  assert.equal(proxy.connections, 1);
  proxy.cut();
  await closed;
  assert.equal(proxy.connections, 0);
  proxy.set({ kind: "refuse" });
  const refused = connect({ port: proxy.port, host: "127.0.0.1" });
  await whenClosed(refused);
  assert.equal(refused.bytesRead, 0);
  proxy.set({ kind: "none" });
  const again = await dial();
  again.write("two");
  assert.equal(await reply(again), "did two");
  again.destroy();
});
