import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, it } from "node:test";
import { systemTime } from "../../../../src/base/time.ts";
import { Link } from "../../../../src/backends/memcached/client/link.ts";
import { MetaClient } from "../../../../src/backends/memcached/client/client.ts";
import { Random } from "../../../chaos/support/random.ts";

/** So many inputs; 10^6 with `HOLDFAST_ROUNDS=200`. */
const inputs = 5_000 * Number(process.env["HOLDFAST_ROUNDS"] ?? 1);
const seed = Number(process.env["HOLDFAST_SEED"] ?? 1);
const requests = 6;

/** What a link needs of a socket. What is written goes nowhere: the test says what comes back. */
class Wire extends EventEmitter {
  readonly writableLength = 0;
  destroyed = false;
  write(): boolean {
    return true;
  }
  destroy(): this {
    this.destroyed = true;
    return this;
  }
  ref(): void {}
  unref(): void {}
  cork(): void {}
  uncork(): void {}
}

interface Asked {
  readonly wire: Wire;
  /** What each request was answered with: `v3` is the value of request 3. */
  readonly answers: Promise<readonly (string | Error)[]>;
}

function ask(): Asked {
  const wire = new Wire();
  const link = new Link(wire as unknown as Socket, systemTime, 60_000, () => undefined);
  const answers = Array.from({ length: requests }, async (_, i) => {
    const read = ({ code, value }: { code: string; value: Buffer | undefined }): string => {
      return code === "VA" ? String(value) : code;
    };
    return link.ask({ line: `mg k${i} v`, read, deadline: Infinity, numbered: true }).catch((error: Error) => error);
  });
  return { wire, answers: Promise.all(answers) };
}

const value = (i: number): string => `v${i}`.padEnd(3 + (i % 4), "x");
const replyTo = (i: number): string =>
  i % 3 === 2 ? `EN O${i + 1}\r\n` : `VA ${value(i).length} O${i + 1}\r\n${value(i)}\r\n`;
const all = Array.from({ length: requests }, (_, i) => replyTo(i));

/** What a server, or something else that answers on its port, can send instead of its replies. */
const damages: readonly ((random: Random) => string)[] = [
  // Something else altogether, from some byte on.
  (random) => all.join("").slice(0, random.int(0, all.join("").length)) + noise(random, random.int(1, 200)),
  // Replies are lost, come twice, or in another order.
  (random) => all.filter(() => random.int(0, 4) > 0).join(""),
  (random) => all.flatMap((one) => (random.int(0, 4) > 0 ? [one] : [one, one])).join(""),
  (random) => all.toSorted(() => random.int(0, 3) - 1).join(""),
  // Lines have other bytes than they should.
  (random) => all.map((one) => (random.int(0, 3) > 0 ? one : withOther(one, random))).join(""),
  // There is something between them.
  (random) => all.map((one) => (random.int(0, 3) > 0 ? one : one + noise(random, random.int(1, 20)))).join(""),
  // Errors instead of replies.
  (random) => all.map((one) => (random.int(0, 3) > 0 ? one : random.pick(errors))).join(""),
];
const errors = ["ERROR\r\n", "SERVER_ERROR out of memory\r\n", "CLIENT_ERROR bad data chunk\r\n", "RESET\r\n"];

function noise(random: Random, length: number): string {
  const pieces = ["\r\n", " ", "VA 1 ", "HD", "EN O1", "O2", "\0", "\u00ff", "x", "STAT a b\r\n", "END\r\n", "9"];
  return Array.from({ length }, () => random.pick(pieces)).join("");
}

/** Another byte in the line of a reply, but not in the size or the value: no protocol could tell. */
function withOther(one: string, random: Random): string {
  const digits = /^VA (\d+)/.exec(one)?.[0].length ?? 0;
  const end = one.indexOf("\r\n") + 2;
  const at = random.int(0, 2) === 0 ? random.int(0, 2) : random.int(digits, end);
  return one.slice(0, at) + String.fromCharCode(random.int(0, 256)) + one.slice(at + 1);
}

function deliver(wire: Wire, bytes: Buffer, random: Random): void {
  for (let at = 0; at < bytes.length && !wire.destroyed;) {
    const size = random.int(1, 40);
    wire.emit("data", bytes.subarray(at, at + size));
    at += size;
  }
}

describe("garbage", () => {
  it(`of ${inputs} kinds is a clear error and a closed socket, never a wrong value`, async (t) => {
    const random = new Random(seed);
    const counts = { right: 0, failed: 0, closed: 0 };
    for (let round = 0; round < inputs; round++) {
      const { wire, answers } = ask();
      const sent = random.pick(damages)(random);
      deliver(wire, Buffer.from(sent, "latin1"), random);
      const isOpen = !wire.destroyed;
      if (isOpen) wire.emit("close");
      for (const [i, answer] of (await answers).entries()) {
        if (answer instanceof Error) {
          counts.failed++;
          assert.match(answer.message, /^(?:memcached: [ -~]+|the connection was lost: [ -~]+)$/);
          assert.equal(typeof (answer as { sent?: unknown }).sent, "boolean");
          continue;
        }
        counts.right++;
        assert.ok(isRight(i, answer, sent), `seed ${seed}, round ${round}: request ${i} got ${answer} of ${sent}`);
      }
      if (!isOpen) counts.closed++;
    }
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.right > inputs && counts.failed > inputs && counts.closed > inputs / 3, JSON.stringify(counts));
  });

  /** A value is the request's own; another code can be had only where its line, with the right number, was sent. */
  function isRight(i: number, answer: string, sent: string): boolean {
    if (answer === value(i) && i % 3 !== 2) return true;
    if (answer === "EN" && i % 3 === 2) return true;
    const line = new RegExp(`(?:^|\\n)${answer.length === 2 ? answer : "VA \\d+"}[ -~]* O${i + 1}(?: [ -~]*)?\\r\\n`);
    return line.test(sent);
  }

  for (const [what, greeting, why = "cannot be reached"] of [
    ["a memcached of old", "ERROR\r\n".repeat(3), "will not do: it does not know the meta protocol"],
    ["a memcached that has no connection left", "ERROR Too many open connections\r\n"],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
    ["noise", Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 7_919) % 256)).toString("latin1")],
    ["a line without an end", "STAT ".padEnd(5_000, "x")],
    ["replies without a number", "HD\r\nHD\r\nHD\r\n", "will not do: it does not know the meta protocol"],
  ] as const) {
    it(`instead of memcached is told at once: ${what}`, async () => {
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => socket.write(Buffer.from(greeting, "latin1")));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const client = new MetaClient({ servers: [{ host: "127.0.0.1", port }] });
      try {
        const limit = { deadline: performance.now() + 20_000 };
        await assert.rejects(client.get("k", undefined, limit), new RegExp(`127\\.0\\.0\\.1:\\d+ ${why}`));
        assert.ok(performance.now() < limit.deadline);
        client.close();
        server.close();
        await once(server, "close"); // once every connection has ended
      } finally {
        client.close();
        server.close();
      }
    });
  }
});
