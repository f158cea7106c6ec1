import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Ports of 127.0.0.1 that nobody listens on. Below those that the system gives to outgoing connections: else a client that dials
 * a stopped server could be given that server's own port, and then talks to itself and keeps the server from coming back.
 */
export async function freePorts(count: number): Promise<number[]> {
  return draw(count, 20_000, 32_000, []);
}

/** The nodes of a cluster speak to each other on their port and this, unless told otherwise, which servers before Redis 7 cannot be. */
const busOffset = 10_000;

/** Ports for the nodes of a cluster: as {@link freePorts}, and so are those that the nodes speak to each other on. */
export async function freeNodePorts(count: number): Promise<number[]> {
  return draw(count, 20_000 - busOffset, 32_000 - busOffset, [busOffset]);
}

async function draw(count: number, from: number, to: number, offsets: readonly number[]): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = from + Math.floor(Math.random() * (to - from));
    const claims = await Promise.all([port, ...offsets.map((offset) => port + offset)].map(claim));
    if (claims.every((one) => one !== undefined)) ports.push(port);
    else for (const one of claims) one?.close();
  }
  return ports;
}

/**
 * Takes a port for as long as this process lives, so that no other test takes it while its server is down: whoever wants the port
 * for TCP claims it for UDP first. Undefined where another process has it, or somebody listens there.
 */
async function claim(port: number): Promise<Socket | undefined> {
  const socket = createSocket("udp4").unref();
  const address = { port, address: "127.0.0.1", exclusive: true };
  const bound = new Promise<boolean>((resolve) => {
    socket.once("error", () => resolve(false)); // another process has claimed it
    socket.bind(address, () => resolve(true));
  });
  if ((await bound) && (await isFree(port))) return socket;
  socket.close();
  return undefined;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false; // somebody listens there
  } finally {
    server.close();
  }
}
