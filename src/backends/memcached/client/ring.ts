import { hash } from "node:crypto";

/** The port that is left out of a server's name on the ring. */
export const usualPort = 11_211;
/** Points of a server whose weight is the average. */
const points = 160;
/** Points that one MD5 gives. */
const perHash = 4;

/** A server's place on the ring. */
export interface Placed {
  readonly host: string;
  readonly port: number;
  /** Its share of the keys, against the others'. Default 1. */
  readonly weight?: number | undefined;
}

/**
 * Which server has which key: ketama, as libmemcached places keys with `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED` (source:
 * Richard Jones, "libketama", 2007). A server that joins or leaves moves the keys of its own share only. All clients
 * must name the servers alike.
 */
export class Ring {
  readonly #values: Uint32Array;
  readonly #servers: Uint16Array;

  constructor(servers: readonly Placed[]) {
    const total = servers.reduce((sum, { weight = 1 }) => sum + weight, 0);
    const all: { readonly value: number; readonly server: number }[] = [];
    for (const [server, { weight = 1, ...place }] of servers.entries()) {
      // In single precision, as there, so that no server has other points here.
      const share = Math.fround(Math.fround(weight) / Math.fround(total));
      const scaled = Math.fround(Math.fround(Math.fround(share * points) / perHash) * servers.length);
      const hashes = Math.floor(Math.fround(scaled + 1e-10));
      for (let i = 0; i < hashes; i++) {
        const digest = md5(`${nameOf(place)}-${i}`);
        for (let at = 0; at < perHash; at++) all.push({ value: digest.readUInt32LE(4 * at), server });
      }
    }
    all.sort((a, b) => a.value - b.value);
    this.#values = Uint32Array.from(all, ({ value }) => value);
    this.#servers = Uint16Array.from(all, ({ server }) => server);
  }

  /** The index of the server that has a key: that of the first point from the key's own on. */
  pick(key: string): number {
    const point = md5(key).readUInt32LE(0);
    let from = 0;
    let to = this.#values.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#values[middle] as number) < point) from = middle + 1;
      else to = middle;
    }
    return this.#servers[from === this.#values.length ? 0 : from] as number;
  }
}

/** A server's name on the ring. */
export function nameOf({ host, port }: Placed): string {
  return port === usualPort ? host : `${host}:${port}`;
}

const md5 = (text: string): Buffer => hash("md5", text, "buffer");
