import { once } from "node:events";
import { createServer } from "node:net";

const taken = new Set<number>();

/**
 * Ports of 127.0.0.1 that nobody listens on. Below those that the system gives to outgoing connections: else a client that dials
 * a stopped server could be given that server's own port, and then talks to itself and keeps the server from coming back.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    ports.push(port);
  }
  return ports;
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
