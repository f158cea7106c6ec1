import { holderFaults } from "../../../support/faults/server.ts";
import { postgresFaultKinds, lacks } from "../../../support/sql/kinds.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

for (const kind of postgresFaultKinds) holderFaults(kind, lacks(kind), async () => (await sharedServer(kind)).url);
