import { test } from "node:test";
import { killHolders, pauseHolders, type HoldersOptions } from "../../../chaos/support/holders.ts";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { shared } from "../../../support/redis/shared.ts";

for (const kind of faultKinds) {
  const skip = lacks(kind);
  const servers = {
    [kind]: async () => shared.single(kind),
    [`a cluster of ${kind}`]: async () => shared.cluster(kind),
  };
  for (const [name, start] of Object.entries(servers)) {
    const options = async (): Promise<HoldersOptions> => ({ url: (await start()).url, processes: 2, slack: 250 });
    void test(
      `holders on ${name} are killed: nothing acknowledged is lost, the next waiter is in soon`,
      { skip },
      async (t) => killHolders(t, await options()),
    );
    void test(
      `holders on ${name} are paused past their lease: none of their late writes is accepted`,
      { skip },
      async (t) => pauseHolders(t, await options()),
    );
  }
}
