import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHoldfastError } from "../../../../src/base/errors.ts";
import {
  makeRouter,
  resolveRedisOptions,
  type RedisOptions,
} from "../../../../src/backends/redis/connections/index.ts";
import { hiding, isReply, replyFailure } from "../../../../src/backends/redis/connections/failures.ts";
import { parseRedirect, parseSlots, slotOf } from "../../../../src/backends/redis/connections/slots.ts";
import { fasterTime } from "./support.ts";

function refused(options: unknown, message: RegExp, secret = "s3cret"): void {
  assert.throws(
    () => makeRouter(options as RedisOptions, fasterTime(1)),
    (error: unknown) => {
      assert.ok(isHoldfastError(error, "INVALID_ARGUMENT"), String(error));
      assert.match(error.message, message);
      assert.ok(!`${error.message}${error.stack}`.includes(secret));
      return true;
    },
  );
}

void describe("the options of the redis backend", () => {
  void it("have defaults, which an undefined does not erase", () => {
    const resolved = resolveRedisOptions({ url: "redis://h", prefix: undefined, connectTimeout: undefined });
    assert.deepEqual(
      { ...resolved, servers: undefined },
      {
        servers: undefined,
        client: undefined,
        database: 0,
        prefix: "hf",
        tls: { servername: undefined },
        connectTimeout: 5_000,
        maxWaiting: 10_000,
        notifications: "enable",
        settings: "refuse",
        use: "all",
      },
    );
  });

  void it("may be parameters of the URL, over which an option wins", () => {
    const url =
      "rediss+sentinel://u:p@a,b:1/m/3?prefix=x&connectTimeout=250&maxWaiting=7&notifications=off&settings=warn&servername=n&sentinelUsername=su&sentinelPassword=sp";
    const resolved = resolveRedisOptions({ url, prefix: "y" });
    assert.equal(resolved.prefix, "y");
    assert.equal(resolved.connectTimeout, 250);
    assert.equal(resolved.maxWaiting, 7);
    assert.equal(resolved.notifications, "off");
    assert.equal(resolved.settings, "warn");
    assert.equal(resolved.tls.servername, "n");
    assert.equal(resolved.database, 3);
    assert.deepEqual(resolved.servers?.sentinel, { username: "su", password: "sp" });
    assert.equal(resolveRedisOptions({ url: "redis://h?connectTimeout=2s" }).connectTimeout, 2_000);
    assert.equal(resolveRedisOptions({ url: "valkey+cluster://a,b" }).servers?.mode, "cluster");
  });

  void it("are refused where they mean nothing", () => {
    refused({}, /a url or a client/);
    refused({ url: "redis://h", client: {} }, /one of them only/);
    refused({ url: "file:./x" }, /scheme is unknown; the known schemes are redis/);
    refused({ url: "redis://u:s3cret@h?prefix=x&retries=3" }, /query parameter 2 is none of them/);
    // A password with a question mark that nobody encoded.
    refused({ url: "redis://u:12?s3cret=x@h" }, /query parameter 1 is none of them/);
    refused({ url: "redis://h?maxWaiting=" }, /maxWaiting/);
    refused({ url: "redis://h?maxWaiting=0" }, /maxWaiting/);
    refused({ url: "redis://h?connectTimeout=soon" }, /connectTimeout/);
    refused({ url: "redis://h?notifications=maybe" }, /notifications must be "enable" or "assume" or "off"/);
    refused({ url: "redis://h?settings=ignore" }, /settings must be "refuse" or "warn"/);
    refused({ url: "redis://h?prefix=a%7Bb" }, /prefix must not hold/);
    refused({ url: "redis://h", prefix: "" }, /prefix must be/);
    refused({ url: "redis://h", prefix: "\ud800" }, /prefix must be/);
    refused({ url: "redis://h", tls: {} }, /rediss/);
    refused({ url: "redis://h?servername=x" }, /rediss/);
    refused({ url: "rediss://h", tls: { rejectUnauthorized: "no" } }, /true or false/);
    refused({ url: "redis://h?sentinelPassword=s3cret" }, /sentinelPassword is for/);
    refused({ client: 5 }, /not a client/);
    refused({ client: {} }, /cannot be used/);
  });
});

void describe("slots", () => {
  void it("are those of the specification", () => {
    assert.equal(slotOf("123456789"), 0x31c3 % 16_384);
    assert.equal(slotOf("foo"), 12_182);
    assert.equal(slotOf("{user1000}.following"), slotOf("user1000"));
    assert.equal(slotOf("foo{}{bar}"), 8_363);
    assert.equal(slotOf("foo{{bar}}zap"), slotOf("{bar"));
    assert.equal(slotOf("foo{bar}{zap}"), slotOf("bar"));
    assert.equal(slotOf("ключ{ä}"), slotOf("ä"));
    assert.equal(slotOf(""), 0);
  });

  void it("are read from a reply, also without an address", () => {
    const reply = [
      [0, 1, [Buffer.from("10.0.0.1"), 7000, Buffer.from("id")]],
      [2, 3, [Buffer.from(""), 7001, Buffer.from("id")]],
      [4, 5, [null, 7002, Buffer.from("id")]],
    ];
    assert.deepEqual(parseSlots(reply, { host: "asked", port: 1 }), [
      { from: 0, to: 1, primary: { host: "10.0.0.1", port: 7000 } },
      { from: 2, to: 3, primary: { host: "asked", port: 7001 } },
      { from: 4, to: 5, primary: { host: "asked", port: 7002 } },
    ]);
    assert.throws(() => parseSlots("OK", { host: "asked", port: 1 }));
  });

  void it("are read from a redirection", () => {
    const from = { host: "asked", port: 1 };
    assert.deepEqual(parseRedirect("MOVED 3999 ::1:6381", from), { slot: 3999, to: { host: "::1", port: 6381 } });
    assert.deepEqual(parseRedirect("ASK 3999 :6381", from), { slot: 3999, to: { host: "asked", port: 6381 } });
    assert.equal(parseRedirect("MOVED", from), undefined);
  });
});

void describe("failures", () => {
  void it("know a reply by its shape", () => {
    class ErrorReply extends Error {}
    class SimpleError extends ErrorReply {}
    assert.ok(isReply(new SimpleError("my own words")));
    assert.ok(isReply(new Error("NOSCRIPT No matching script")));
    assert.ok(!isReply(new Error("Socket closed unexpectedly")));
    assert.ok(!isReply(Object.assign(new Error("EPIPE it is"), { syscall: "write" })));
    assert.ok(!isReply("ERR text"));
  });

  void it("tell what was not executed from what may have been", () => {
    const hide = hiding();
    for (const [message, command, sent] of [
      ["ERR wrong number", "GET", false],
      ["WRONGTYPE Operation", "GET", false],
      ["WRONGTYPE Operation", "EVALSHA", true],
      ["ERR Error running script", "evalsha", true],
      ["my own error", "FCALL", true],
      ["OOM command not allowed", "EVALSHA", false],
      ["BUSY Redis is busy", "EVALSHA", false],
      ["TRYAGAIN Multiple keys", "EVALSHA", false],
    ] as const) {
      assert.equal(replyFailure(message, command, hide).sent, sent, message);
    }
  });

  void it("hide what must not be shown, but no address of a redirection", () => {
    const hide = hiding("6381", "", undefined, "s3cret");
    assert.equal(replyFailure("ERR bad s3cret", "GET", hide).message, "ERR bad ***");
    assert.equal(replyFailure("MOVED 1 h:6381", "GET", hide).message, "MOVED 1 h:6381");
    assert.equal(hide("ERR unknown command 'X', with args beginning with: 'v'"), "ERR unknown command 'X'");
  });
});
