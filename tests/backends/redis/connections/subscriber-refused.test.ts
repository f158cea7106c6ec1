import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { startSentinel, type SentinelGroup } from "../../../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";
import { command, Heard, rejectsWith, Routers, soon } from "./support.ts";

const user = "user app on >app-secret ~* &* +@all";
const routers = new Routers();
afterEach(async () => routers.close());

/** Lets the user in no more, and cuts its connections. */
async function shutOut(...servers: readonly RedisServer[]): Promise<void> {
  for (const server of servers) await server.command("ACL", "SETUSER", "app", "off");
  for (const server of servers) await server.command("CLIENT", "KILL", "USER", "app");
}

async function letIn(server: RedisServer): Promise<void> {
  await server.command("ACL", "SETUSER", "app", "on");
}

/** How often the server has turned a login away. */
async function refusals(server: RedisServer): Promise<number> {
  const log = (await server.command("ACL", "LOG")) as (readonly (string | number)[])[];
  return log.reduce((sum, entry) => sum + Number(entry[entry.indexOf("count") + 1]), 0);
}

void describe("a subscription that is refused for a time", () => {
  for (const kind of faultKinds) {
    void it(`is there again, and tells of the gap, on ${kind}`, { skip: lacks(kind) }, async () => {
      const server = await startRedis({ kind, users: [user] });
      try {
        const router = await routers.ready(`redis://app:app-secret@127.0.0.1:${server.port}`);
        const heard = new Heard();
        const subscriber = router.subscriber(heard);
        await subscriber.subscribe("a", soon());
        await subscriber.subscribePattern("p:*", soon());
        await shutOut(server);
        await until("both connections to be refused", async () => (await refusals(server)) >= 2);
        const first = router.subscriber(new Heard()).subscribe("a", soon());
        await rejectsWith("INVALID_ARGUMENT", /WRONGPASS/, first, "app-secret");
        assert.equal(heard.gaps, 0);
        await letIn(server);
        await heard.until(() => heard.gaps === 1);
        await server.command("PUBLISH", "a", "1");
        await server.command("PUBLISH", "p:x", "2");
        await heard.until(() => heard.messages.length === 2);
        await until("a command", async () =>
          router.ready(soon()).then(
            () => true,
            () => false,
          ),
        );
        assert.equal(await command(router, "PING"), "PONG");
      } finally {
        await routers.close();
        await server.stop();
      }
    });
  }
});

void describe("sentinels that refuse for a time", () => {
  let group: SentinelGroup;
  before(async () => {
    group = await startSentinel({ kind: "redis" });
    for (const sentinel of group.sentinels) {
      await sentinel.command("ACL", "SETUSER", "app", "on", ">app-secret", "&*", "+@all");
    }
  });
  after(async () => group.stop());

  async function isListenedTo(): Promise<boolean> {
    const lists = await Promise.all(group.sentinels.map(async (one) => String(await one.command("CLIENT", "LIST"))));
    return lists.some((list) => /name=holdfast:sentinels .* sub=1 /.test(list));
  }

  void it("are listened to again", async () => {
    await routers.ready(`${group.url}?sentinelUsername=app&sentinelPassword=app-secret`);
    await until("a sentinel to be listened to", isListenedTo);
    await shutOut(...group.sentinels);
    await until("a refusal", async () => {
      const all = await Promise.all(group.sentinels.map(refusals));
      return all.some((count) => count > 0);
    });
    assert.equal(await isListenedTo(), false);
    for (const sentinel of group.sentinels) await letIn(sentinel);
    await until("a sentinel to be listened to again", isListenedTo);
  });
});
