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
  /**
   * Passes requests; the replies are thrown away and the connection is cut when the first one comes: it ran, nobody was told. With
   * `to` it is the first one behind a request with that text in it.
   */
  | { readonly kind: "drop-reply"; readonly to?: string }
  /** Those connections that are open now stay, and pass nothing; new ones pass everything. */
  | { readonly kind: "silence" }
  /** Refuses new connections; those that are open stay. */
  | { readonly kind: "refuse" };

/** One direction of a connection. */
interface Lane {
  readonly to: Socket;
  /** What is held back, in order, and when it is due on the monotonic clock; what comes in behind it waits for it. */
  readonly held: { readonly chunk: Buffer; due: number }[];
  timer?: NodeJS.Timeout;
  /** Whether the sender has ended: the receiver is told behind what is held back. */
  ended: boolean;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly lanes: readonly [Lane, Lane];
  /** It was open when silence began. */
  silent: boolean;
  /** The request was passed whose reply is to be dropped. */
  doomed: boolean;
}

/** A TCP proxy on 127.0.0.1 in front of one server, whose faults are switched while it runs. */
export class FaultProxy {
  #target: { readonly host: string; readonly port: number };
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
    for (const link of this.#links) {
      link.silent = fault.kind === "silence";
      link.doomed = false;
    }
    if (fault.kind === "black-hole" || fault.kind === "silence") return;
    for (const { lanes } of this.#links) {
      for (const lane of lanes) {
        for (const item of lane.held) if (item.due === Infinity) item.due = 0;
        this.#flush(lane);
      }
    }
  }

  /** New connections lead to another server; those that are open stay. */
  lead(target: { readonly host?: string; readonly port: number }): void {
    this.#target = { host: target.host ?? "127.0.0.1", port: target.port };
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
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const lanes: [Lane, Lane] = [
      { to: server, held: [], ended: false },
      { to: client, held: [], ended: false },
    ];
    const link: Link = { client, server, lanes, silent: false, doomed: false };
    this.#links.add(link);
    for (const lane of lanes) {
      const { to } = lane;
      const from = to === server ? client : server;
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => this.#pass(link, lane, chunk));
      from.on("end", () => {
        lane.ended = true;
        this.#flush(lane);
      });
      // An error of one side is told to the other by cutting it, as a real network would.
      from.on("error", () => this.#end(link));
      from.on("close", () => this.#end(link));
    }
  }

  #pass(link: Link, lane: Lane, chunk: Buffer): void {
    const fault = this.#fault;
    if (fault.kind === "drop-reply" && (fault.to === undefined || chunk.includes(fault.to))) link.doomed = true;
    if (fault.kind === "drop-reply" && link.doomed && lane.to === link.client) {
      this.#end(link);
      for (const resolve of this.#dropped.splice(0)) resolve();
      return;
    }
    lane.held.push({ chunk, due: link.silent ? Infinity : this.#due() });
    this.#flush(lane);
  }

  #due(): number {
    if (this.#fault.kind === "black-hole") return Infinity;
    return this.#fault.kind === "delay" ? performance.now() + this.#fault.ms : 0;
  }

  #flush(lane: Lane): void {
    clearTimeout(lane.timer);
    for (let first = lane.held[0]; first; first = lane.held[0]) {
      const wait = first.due - performance.now();
      if (wait > 0) {
        if (wait < Infinity) lane.timer = setTimeout(() => this.#flush(lane), Math.ceil(wait));
        return;
      }
      lane.held.shift();
      if (lane.to.writable) lane.to.write(first.chunk);
    }
    if (lane.ended) lane.to.end();
  }

  #end(link: Link): void {
    if (!this.#links.delete(link)) return;
    for (const lane of link.lanes) clearTimeout(lane.timer);
    // A socket that is being ended cannot be reset: its handle would be left behind, and a process could not exit with it.
    if (link.client.writableEnded) link.client.destroy();
    else link.client.resetAndDestroy();
    link.server.destroy();
  }
}
