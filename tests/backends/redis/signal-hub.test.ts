import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { FakeNode, FakeRouter, plainLayout } from "./support/fake-router.ts";
import { RedisFailure } from "../../../src/backends/redis/router.ts";
import type { Notifications } from "../../../src/backends/redis/signals/seam.ts";
import type { SignalHub } from "../../../src/backends/common/signal-hub.ts";
import { redisHub } from "../../../src/backends/redis/signals/signal-hub.ts";
import { isHoldfastError, type ErrorCode } from "../../../src/base/errors.ts";
import { space } from "../../../src/base/keys.ts";
import type { Signal } from "../../../src/port/index.ts";
import { virtualTime, type VirtualTime } from "../../../src/testing/virtual-time.ts";

interface World {
  readonly hub: SignalHub;
  readonly router: FakeRouter;
  readonly node: FakeNode;
  readonly time: VirtualTime;
}

const records = space("state", "svc", "records");
const pattern = "__keyspace@3__:hf:state:svc:records{*";

function world(notifications: Notifications = "enable", flags = ""): World {
  const node = new FakeNode("a:1", flags);
  const router = new FakeRouter(node);
  const time = virtualTime();
  const hub = redisHub({ router, layout: plainLayout, time, database: 3, notifications });
  return { hub, router, node, time };
}

function code(expected: ErrorCode): (error: unknown) => boolean {
  return (error) => isHoldfastError(error, expected);
}

/** A change as the server tells it. */
function change({ router }: World, key: string, event: string, name = "records"): void {
  const { listener } = router.subscriberMade;
  listener.message(`__keyspace@3__:hf:state:svc:${name}{${key}}`, Buffer.from(event), pattern);
}

describe("the signals of redis", () => {
  it("tell a session of the grants on its channel, whatever the owner's characters", async () => {
    const { hub, router } = world();
    const [heard, others]: Signal[][] = [[], []];
    await hub.signalsOf("one").subscribe({ grants: true }, (signal) => heard?.push(signal));
    await hub.signalsOf("two").subscribe({ grants: true }, (signal) => others?.push(signal));
    const { listener } = router.subscriberMade;
    const owner = "ä:ö\n{1}";
    const body = `17:${Buffer.byteLength(owner)}:${owner}hf:lock:svc:locks{k:1}`;
    listener.message("hf:s:one", Buffer.from(body), undefined);
    const lock = { space: space("lock", "svc", "locks"), key: "k:1" };
    await turn();
    assert.deepEqual(heard, [{ type: "granted", lock, owner, grant: 17 }]);
    for (const nonsense of [
      ...["", ":", "::", "7:", "7:1:", "7:x:a", "7:-1:abc", "7:9:short", "7:1e9:x", "7:1:aelse", "7::a"],
      ...["1:ahf:lock:svc:locks{k:1}", "x:1:ahf:lock:svc:locks{k:1}", "0:1:ahf:lock:svc:locks{k:1}"],
      "7:1:ahf:none:svc:x{k}",
    ]) {
      listener.message("hf:s:one", Buffer.from(nonsense), undefined);
    }
    await turn();
    assert.equal(heard?.length, 1, "what no script of ours publishes is ignored");
    assert.deepEqual(others, []);
  });

  it("tell of changes of the space and prefix only, and only where the value may be another", async () => {
    const one = world();
    const heard: string[] = [];
    await one.hub.signalsOf("s").subscribe({ changes: records, prefix: "a" }, (signal) => {
      heard.push(signal.type === "changed" ? signal.key.key : signal.type);
    });
    assert.deepEqual(one.router.subscriberMade.asked, [`+*${pattern}`]);
    for (const event of ["set", "del", "expired", "evicted", "restore", "rename_to"]) change(one, `a.${event}`, event);
    for (const event of ["expire", "persist", "get", "hset", "new"]) change(one, `a.${event}`, event);
    change(one, "b", "set");
    change(one, "a", "set", "elsewhere");
    await turn();
    assert.deepEqual(heard, ["a.set", "a.del", "a.expired", "a.evicted", "a.restore", "a.rename_to"]);
  });

  it("subscribe once for all who want the same, and unsubscribe when the last has left", async () => {
    const { hub, router } = world();
    const heard: string[] = [];
    const listen = (who: string) => (signal: Signal) => heard.push(`${who}${signal.type}`);
    const stops = await Promise.all(
      ["a", "b", "c"].map((who) => hub.signalsOf(who).subscribe({ topic: "t" }, listen(who))),
    );
    const { listener, asked } = router.subscriberMade;
    assert.deepEqual(asked, ["+hf:t:t"]);
    stops[0]?.();
    stops[0]?.();
    stops[1]?.();
    listener.message("hf:t:t", Buffer.from("x"), undefined);
    await turn();
    assert.deepEqual(heard, ["cmessage"]);
    assert.deepEqual(asked, ["+hf:t:t"]);
    stops[2]?.();
    assert.deepEqual(asked, ["+hf:t:t", "-hf:t:t"]);
    await hub.signalsOf("a").subscribe({ topic: "t" }, listen("a"));
    assert.deepEqual(asked, ["+hf:t:t", "-hf:t:t", "+hf:t:t"]);
  });

  it("never ask for a name again while an answer for it is due", async () => {
    const { hub, router } = world();
    const signals = hub.signalsOf("a");
    const stopFirst = await signals.subscribe({ topic: "first" }, () => undefined);
    stopFirst();
    const one = router.subscriberMade;
    one.prompt = false;
    one.asked.length = 0;
    const gone = signals.subscribe({ topic: "t" }, () => undefined);
    hub.drop("a");
    await assert.rejects(gone, code("UNAVAILABLE"));
    await assert.rejects(
      signals.subscribe({ topic: "t" }, () => undefined),
      code("UNAVAILABLE"),
    );
    const heard: Signal[] = [];
    const late = hub.signalsOf("b").subscribe({ topic: "t" }, (signal) => heard.push(signal));
    assert.deepEqual(one.asked, ["+hf:t:t"], "not taken back, and not asked for twice");
    one.pending[0]?.resolve();
    const stop = await late;
    one.listener.message("hf:t:t", Buffer.from("x"), undefined);
    await turn();
    assert.equal(heard.length, 1);
    stop();
    assert.deepEqual(one.asked, ["+hf:t:t", "-hf:t:t"]);
    const unwanted = hub.signalsOf("c").subscribe({ topic: "t" }, () => undefined);
    hub.drop("c");
    await assert.rejects(unwanted, code("UNAVAILABLE"));
    one.pending[1]?.resolve();
    await turn();
    assert.deepEqual(one.asked.slice(2), ["+hf:t:t", "-hf:t:t"], "nobody wanted it any more when it was confirmed");
  });

  it("reject all who waited for a subscription that failed, and try anew for the next", async () => {
    const { hub, router } = world();
    const signals = hub.signalsOf("a");
    await signals.subscribe({ topic: "first" }, () => undefined);
    const one = router.subscriberMade;
    one.prompt = false;
    const failing = [1, 2].map(() => signals.subscribe({ topic: "t" }, () => undefined));
    one.pending[0]?.reject(new RedisFailure("NOPERM no permissions to access a channel", false, "NOPERM"));
    for (const outcome of await Promise.allSettled(failing)) {
      assert.ok(outcome.status === "rejected" && isHoldfastError(outcome.reason, "UNSUPPORTED"));
    }
    one.prompt = true;
    await signals.subscribe({ topic: "t" }, () => undefined);
    assert.deepEqual(one.asked, ["+hf:t:first", "+hf:t:t", "-hf:t:t", "+hf:t:t"]);
  });

  it("end a subscription that the server does not confirm", async () => {
    const { hub, router, time } = world();
    const signals = hub.signalsOf("a");
    await signals.subscribe({ topic: "first" }, () => undefined);
    router.subscriberMade.prompt = false;
    const hanging = assert.rejects(
      signals.subscribe({ topic: "t" }, () => undefined),
      code("UNAVAILABLE"),
    );
    await time.advance(5_000);
    await hanging;
  });

  it("refuse a message that is too long, and a topic that is", async () => {
    const { hub, router } = world();
    const signals = hub.signalsOf("a");
    await signals.publish("t", "x".repeat(32 * 1_024));
    for (const body of ["x".repeat(32 * 1_024 + 1), "ä".repeat(16 * 1_024 + 1), "\ud800"]) {
      await assert.rejects(signals.publish("t", body), code("INVALID_ARGUMENT"));
    }
    await assert.rejects(signals.publish("t".repeat(1_025), ""), code("INVALID_ARGUMENT"));
    await assert.rejects(
      signals.subscribe({ topic: "t".repeat(1_025) }, () => undefined),
      code("INVALID_ARGUMENT"),
    );
    assert.equal(router.sent.length, 1);
    assert.deepEqual(router.sent[0]?.slice(0, 2), ["PUBLISH", "hf:t:t"]);
  });

  it("say what became of a message", async () => {
    const { hub, router, time } = world();
    const publish = async (answer: () => Promise<never>): Promise<void> => {
      router.answer = answer;
      await hub.signalsOf("a").publish("t", "x");
    };
    const failing = (...failure: ConstructorParameters<typeof RedisFailure>) =>
      publish(async () => Promise.reject(new RedisFailure(...failure)));
    await assert.rejects(failing("no connection", false), code("UNAVAILABLE"));
    await assert.rejects(failing("lost", true), code("INDETERMINATE"));
    await assert.rejects(failing("NOPERM may not", false, "NOPERM"), code("UNSUPPORTED"));
    const hanging = assert.rejects(
      publish(async () => new Promise<never>(() => undefined)),
      code("INDETERMINATE"),
    );
    await time.advance(5_000);
    await hanging;
  });

  it("end with their session, and with the backend", async () => {
    const { hub, router } = world();
    const heard: Signal[] = [];
    const listen = (signal: Signal): unknown => heard.push(signal);
    const [a, b] = [hub.signalsOf("a"), hub.signalsOf("b")];
    await a.subscribe({ topic: "t" }, listen);
    await a.subscribe({ changes: records, prefix: "" }, listen);
    await b.subscribe({ grants: true }, listen);
    const one = router.subscriberMade;
    hub.drop("a");
    assert.deepEqual(one.asked.slice(-2).toSorted(), [`-*${pattern}`, "-hf:t:t"]);
    one.listener.gap();
    await turn();
    assert.deepEqual(heard, [{ type: "gap" }], "the other session's");
    one.prompt = false;
    const pending = b.subscribe({ topic: "late" }, listen);
    const rejected = assert.rejects(pending, code("UNAVAILABLE"));
    await hub.close();
    await hub.close();
    await rejected;
    assert.equal(one.closed, 1);
    one.listener.gap();
    await turn();
    assert.equal(heard.length, 1);
    for (const ended of [a, b, hub.signalsOf("c")]) {
      await assert.rejects(ended.subscribe({ grants: true }, listen), code("UNAVAILABLE"));
      await assert.rejects(ended.publish("t", ""), code("UNAVAILABLE"));
    }
  });
});

describe("the flags of keyspace notifications", () => {
  const watch = async ({ hub }: World, heard: Signal[] = []): Promise<() => void> =>
    hub.signalsOf("s").subscribe({ changes: records, prefix: "" }, (signal) => heard.push(signal));

  for (const [before, after] of [
    ["", "Kg$xe"],
    ["Elx", "ElxKg$e"],
    ["AE", "AEK"],
    ["AKE", "AKE"],
    ["g$xeK", "g$xeK"],
  ] as const) {
    it(`are added to "${before}"`, async () => {
      const one = world("enable", before);
      await watch(one);
      assert.equal(one.node.flags, after);
      assert.equal(
        one.node.sent.some((command) => command.startsWith("CONFIG SET")),
        before !== after,
      );
      await watch(one);
      assert.equal(one.node.sent.length, before === after ? 1 : 2, "known for the second watch");
    });
  }

  it("are set on every primary", async () => {
    const one = world();
    const other = new FakeNode("b:1", "E");
    one.router.nodes = [one.node, other];
    await watch(one);
    assert.deepEqual([one.node.flags, other.flags], ["Kg$xe", "EKg$xe"]);
  });

  it('are left alone with "assume"', async () => {
    const one = world("assume");
    const heard: Signal[] = [];
    await watch(one, heard);
    assert.deepEqual(one.node.sent, []);
    one.router.subscriberMade.listener.gap();
    await turn();
    assert.deepEqual(heard, [{ type: "gap" }]);
  });

  it('are refused with "off"', async () => {
    await assert.rejects(watch(world("off")), code("UNSUPPORTED"));
  });

  it("are named where they are missing and may not be set", async () => {
    for (const forbidden of ["GET", "SET"] as const) {
      const one = world();
      one.node.forbidden = [forbidden];
      await assert.rejects(
        watch(one),
        (error) => isHoldfastError(error, "UNSUPPORTED") && error.message.includes("Kg$xe"),
      );
      assert.ok(one.router.subscriberMade.asked.at(-1)?.startsWith("-*"), "what was subscribed to is taken back");
    }
    const set = world("enable", "AKE");
    set.node.forbidden = ["SET"];
    await watch(set);
  });

  it("are set again after a loss, before the gap is told", async () => {
    const one = world();
    const heard: Signal[] = [];
    await watch(one, heard);
    one.node.flags = "";
    one.router.subscriberMade.listener.gap();
    assert.deepEqual(heard, [], "not before they are there: what changes meanwhile would be missed");
    await turn();
    assert.equal(one.node.flags, "Kg$xe");
    assert.deepEqual(heard, [{ type: "gap" }]);
    one.router.subscriberMade.listener.gap();
    await turn();
    assert.equal(heard.length, 2, "and a gap is told though they were there");
  });

  it("are asked for until the server answers, and gaps say what that may have cost", async () => {
    const one = world();
    const heard: Signal[] = [];
    await watch(one, heard);
    one.node.away = true;
    one.node.flags = "";
    one.router.subscriberMade.listener.gap();
    await turn();
    assert.equal(heard.length, 1, "at once, since nobody knows how long it takes");
    await one.time.advance(1_000);
    await turn();
    await one.time.advance(2_000);
    await turn();
    assert.equal(heard.length, 1);
    one.node.away = false;
    await one.time.advance(4_000);
    await turn();
    assert.equal(one.node.flags, "Kg$xe");
    assert.equal(heard.length, 2);
  });

  it("that an operator took away are found out and set again", async () => {
    const one = world();
    const heard: Signal[] = [];
    const stop = await watch(one, heard);
    await one.time.advance(60_000);
    await turn();
    assert.deepEqual(heard, []);
    one.node.flags = "E";
    await one.time.advance(60_000);
    await turn();
    assert.deepEqual([one.node.flags, heard.length], ["EKg$xe", 1]);
    stop();
    const asked = one.node.sent.length;
    await one.time.advance(600_000);
    assert.equal(one.node.sent.length, asked, "nobody watches, nobody asks");
  });

  it("that may no longer be set make whoever watches read again now and then", async () => {
    const one = world();
    const heard: Signal[] = [];
    await watch(one, heard);
    one.node.forbidden = ["GET"];
    for (let minute = 1; minute <= 3; minute++) {
      await one.time.advance(60_000);
      await turn();
      assert.equal(heard.length, minute);
    }
  });
});
