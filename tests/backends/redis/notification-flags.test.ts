import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeNode, FakeRouter } from "./support/fake-router.ts";
import { changedKey, keyspacePattern } from "../../../src/backends/redis/signals/keyspace.ts";
import { enableNotifications, notificationsForbidden } from "../../../src/backends/redis/signals/notification-flags.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";

describe("whether redis can tell of changes", () => {
  const asked = async (node: FakeNode, mode: "enable" | "assume" | "off" = "enable"): Promise<string | undefined> =>
    notificationsForbidden(new FakeRouter(new FakeNode("other:1", "AK"), node), mode, 1_000);

  it("is found out without changing anything", async () => {
    for (const flags of ["", "E", "AKE"]) {
      const node = new FakeNode("a:1", flags);
      assert.equal(await asked(node), undefined);
      assert.equal(node.flags, flags);
    }
  });

  it("is no where CONFIG is forbidden and the flags are missing", async () => {
    for (const forbidden of ["GET", "SET"] as const) {
      const node = new FakeNode("a:1", "E");
      node.forbidden = [forbidden];
      assert.match((await asked(node)) ?? "", /"Kg\$xe"/u);
      assert.equal(node.flags, "E");
    }
    const set = new FakeNode("a:1", "AKE");
    set.forbidden = ["SET"];
    assert.equal(await asked(set), undefined);
  });

  it("is taken for granted with assume, and no with off", async () => {
    const node = new FakeNode("a:1");
    assert.equal(await asked(node, "assume"), undefined);
    assert.match((await asked(node, "off")) ?? "", /"off"/u);
    assert.deepEqual(node.sent, []);
  });

  it("is no where the server takes no such flags", async () => {
    const node = new FakeNode("a:1");
    node.mute = true;
    const enabling = enableNotifications(new FakeRouter(node, new FakeNode("b:1")), 1_000);
    await assert.rejects(enabling, (error) => isHoldfastError(error, "UNSUPPORTED"));
  });

  it("is not known while the server is away", async () => {
    const node = new FakeNode("a:1");
    node.away = true;
    await assert.rejects(asked(node), (error) => isHoldfastError(error, "UNAVAILABLE"));
  });
});

describe("the names of keyspace notifications", () => {
  it("take no character for a wildcard", () => {
    assert.equal(keyspacePattern(0, "hf:a*b?c[d]^-e\\{"), String.raw`__keyspace@0__:hf:a\*b\?c\[d\]\^\-e\\{*`);
  });

  it("hold the key as it is", () => {
    const body = Buffer.from("set");
    assert.equal(changedKey(12, "__keyspace@12__:a:__keyspace@12__:b", body), "a:__keyspace@12__:b");
    assert.equal(changedKey(1, "__keyspace@12__:a", body), undefined);
  });
});
