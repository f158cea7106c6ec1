import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { Ring } from "../../../../src/backends/memcached/client/ring.ts";

/** The servers, and some of the keys with the server each is on, that libmemcached's own tests of its ketama name. */
const weights = [600, 300, 200, 350, 1000, 800, 950, 100];
const servers = weights.map((weight, i) => ({ host: `10.0.1.${i + 1}`, port: 11_211, weight }));
const published = [
  ["SVa_]_V41)", 7],
  ["*/Z;?V(.\\8", 1],
  ["30C1*Z*S/_", 2],
  ["ERR:EC58G>", 7],
  ["1I=cTMNTKF", 5],
  ["]VG<`I*Z8)", 5],
  ["P1[Ma3=K1/", 8],
  ["C89I.-V?cT", 8],
  ["D[HE+cFXDK", 3],
  ["\\39DKW^)N_", 3],
  ["EM75N0+[X1", 4],
  ["=256P+;Qc8", 5],
  ["(,>E`)FT\\4", 2],
  ["6,cEI`F_P>", 6],
  ["XY\\X::LX50", 6],
  ["]\\.UH8_0a1", 4],
  ["8*6a;Sc*X+", 2],
  ["Nb-X^]M)I:", 6],
  ["N-)88>[O`,", 5],
  ["0OZH^9BKM[", 8],
  ["CTR74,J+N.", 8],
  ["4*=.SPR[AV", 1],
  ["[1ZXONX2]a", 4],
  ["VD6D0]ba_\\", 1],
] as const;

describe("the ring", () => {
  it("has each key where libmemcached has it", () => {
    const ring = new Ring(servers);
    for (const [key, server] of published) assert.equal(servers[ring.pick(key)]?.host, `10.0.1.${server}`, key);
  });

  it("begins anew behind its last point", () => {
    assert.equal(hashOf("VDEAAAAA"), 0xfffcd1b5);
    // This key's hash is 0xfffcd1b5, behind every point, so it is on the server of the first, as is the smallest hash of many.
    const ring = new Ring(servers);
    const first = ring.pick("VDEAAAAA");
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}`);
    const smallest = keys.reduce((least, key) => (hashOf(key) < hashOf(least) ? key : least));
    assert.equal(first, ring.pick(smallest));
  });

  it("gives servers of one weight about as many keys, and moves those of a server that leaves, and no others", () => {
    const three = ["a", "b", "c"].map((host) => ({ host, port: 11_211 }));
    const [all, less] = [new Ring(three), new Ring(three.slice(0, 2))];
    const counts = [0, 0, 0];
    let moved = 0;
    for (let i = 0; i < 30_000; i++) {
      const server = all.pick(`key-${i}`);
      counts[server] = (counts[server] ?? 0) + 1;
      const after = less.pick(`key-${i}`);
      if (server === 2) continue;
      if (after !== server) moved++;
    }
    for (const count of counts) assert.ok(count > 7_000 && count < 13_500, counts.join());
    assert.equal(moved, 0);
  });

  it("knows a server by its port too, unless that is the usual one", () => {
    const on = (...ports: number[]): Ring => new Ring(ports.map((port) => ({ host: "h", port })));
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    const places = (ring: Ring): string => keys.map((key) => ring.pick(key)).join("");
    assert.notEqual(places(on(11_211, 11_212)), places(on(11_213, 11_212)));
    assert.equal(
      places(on(11_211, 11_212)),
      places(
        new Ring([
          { host: "h", port: 11_211 },
          { host: "h:11212", port: 11_211 },
        ]),
      ),
    );
  });
});

function hashOf(key: string): number {
  return hash("md5", key, "buffer").readUInt32LE(0);
}
