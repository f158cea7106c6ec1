import { holderFaults } from "../../../support/faults/server.ts";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { shared } from "../../../support/redis/shared.ts";

for (const kind of faultKinds) {
  holderFaults(kind, lacks(kind), async () => (await shared.single(kind)).url);
  holderFaults(`a cluster of ${kind}`, lacks(kind), async () => (await shared.cluster(kind)).url);
}
