import { holderFaults } from "../../../support/faults/server.ts";
import { aloneKinds, groupKinds, lacks } from "../../../support/redis/kinds.ts";
import { shared } from "../../../support/redis/shared.ts";

for (const kind of aloneKinds) holderFaults(kind, lacks(kind), async () => (await shared.single(kind)).url);
for (const kind of groupKinds) {
  holderFaults(`a cluster of ${kind}`, lacks(kind), async () => (await shared.cluster(kind)).url);
}
