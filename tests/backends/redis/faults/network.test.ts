import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { times, type Deed } from "../../../chaos/support/nemesis.ts";
import { runRound, seeds } from "../../../chaos/support/round.ts";
import { FaultProxy, type Fault } from "../../../support/fault-proxy.ts";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { startRedis } from "../../../support/redis/server.ts";

const timeout = 1_000;

for (const kind of faultKinds) {
  const skip = lacks(kind);
  for (const seed of seeds(1)) {
    void test(
      `the network to ${kind} is cut, loses replies and goes dark, and the history holds (seed ${seed})`,
      { skip },
      async (t) => {
        const server = await startRedis({ kind, appendonly: "everysec" });
        const proxies = await Promise.all(Array.from({ length: 4 }, async () => FaultProxy.start(server)));
        const during = (fault: Fault, ms: number): Deed => {
          return async ({ random }) => {
            const proxy = random.pick(proxies);
            proxy.set(fault);
            await pause(ms);
            proxy.set({ kind: "none" });
          };
        };
        const cut: Deed = async ({ random }) => random.pick(proxies).cut();
        const dropReplies: Deed = async ({ random }) => {
          const proxy = random.pick(proxies);
          const dropped = proxy.nextDrop();
          proxy.set({ kind: "drop-reply" });
          await dropped;
          proxy.set({ kind: "none" });
        };
        try {
          const deeds = [
            ...times(6, cut),
            ...times(8, dropReplies),
            // Longer than a call may take: what it holds back reaches the server after the caller was told.
            ...times(2, during({ kind: "black-hole" }, 1.3 * timeout)),
            during({ kind: "black-hole" }, 0.3 * timeout),
            during({ kind: "delay", ms: 50 }, 500),
            async (stage) => {
              await cut(stage);
              await during({ kind: "refuse" }, 500)(stage);
            },
          ] satisfies Deed[];
          const place = (at: number): string => `redis://127.0.0.1:${proxies[at]?.port}`;
          await runRound(t, { url: server.url, place, seed, deeds, ttl: 600, timeout, slack: 500 });
        } finally {
          await Promise.all(proxies.map(async (proxy) => proxy.close()));
          await server.stop();
        }
      },
    );
  }
}
