import { holderFaults } from "../../../support/faults/server.ts";
import { lacks, natsFaultKinds } from "../../../support/nats/kinds.ts";
import { sharedNats } from "../../../support/nats/server.ts";

for (const kind of natsFaultKinds) holderFaults(kind, lacks(kind), async () => (await sharedNats(kind)).url);
