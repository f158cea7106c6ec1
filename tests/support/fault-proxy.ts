import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What the proxy does to the bytes that pass, in both directions unless said otherwise. */
export type Fault =
  /** Passes everything at once. */
  | { readonly kind: "none" }
  /** Passes everything, each chunk `ms` later, in order. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Accepts and keeps connections, and passes nothing; what came in meanwhile is passed when the fault ends. */
  | { readonly kind: "black-hole" }
  /** Passes requests; the replies are thrown away and the connection is cut when the first one comes: it ran, nobody was told. */
  | { readonly kind: "drop-reply" }
  /** Refuses new connections; those that are open stay. */
  | { readonly kind: "refuse" };

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes held back, by direction. */
  readonly held: { readonly to: Socket; readonly chunk: Buffer }[];
}

/** A TCP proxy on 127.0.0.1 in front of one server, whose faults are switched while it runs. */
export class FaultProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #fault: Fault = { kind: "none" };
  #dropped: (() => void)[] = [];
  #accepted = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Listens on a free port. */
  static async start(target: { readonly host?: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy({ host: target.host ?? "127.0.0.1", port: target.port });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Open connections. */
  get connections(): number {
    return this.#links.size;
  }

  /** Connections that were ever accepted. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Changes what is done from now on. A black hole that ends lets go of what it held. */
  set(fault: Fault): void {
    this.#fault = fault;
    if (fault.kind === "black-hole") return;
    for (const link of this.#links) {
      for (const { to, chunk } of link.held.splice(0)) this.#pass(link, to, chunk);
    }
  }

  /** Cuts every open connection with a reset. New ones are accepted. */
  cut(): void {
    for (const link of this.#links) this.#end(link);
  }

  /** Resolves when the next reply was dropped and its connection cut. */
  nextDrop(): Promise<void> {
    return new Promise((resolve) => this.#dropped.push(resolve));
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.#fault.kind === "refuse") {
      client.resetAndDestroy();
      return;
    }
    this.#accepted++;
    const link: Link = { client, server: connect({ ...this.#target, allowHalfOpen: true }), held: [] };
    this.#links.add(link);
    for (const [from, to] of [
      [link.client, link.server],
      [link.server, link.client],
    ] as const) {
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => this.#pass(link, to, chunk));
      from.on("end", () => to.end());
      // An error of one side is told to the other by cutting it, as a real network would.
      from.on("error", () => this.#end(link));
      from.on("close", () => this.#end(link));
    }
  }

  #pass(link: Link, to: Socket, chunk: Buffer): void {
    switch (this.#fault.kind) {
      case "black-hole":
        link.held.push({ to, chunk });
        return;
      case "drop-reply":
        if (to === link.server) break;
        this.#end(link);
        for (const resolve of this.#dropped.splice(0)) resolve();
        return;
      case "delay": {
        const timer = setTimeout(() => this.#write(to, chunk), this.#fault.ms);
        to.once("close", () => clearTimeout(timer));
        return;
      }
      case "none":
      case "refuse":
        break;
    }
    this.#write(to, chunk);
  }

  #write(to: Socket, chunk: Buffer): void {
    if (to.writable) to.write(chunk);
  }

  #end(link: Link): void {
    if (!this.#links.delete(link)) return;
    link.client.resetAndDestroy();
    link.server.destroy();
  }
}
