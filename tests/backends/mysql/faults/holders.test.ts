import { holderFaults } from "../../../support/faults/server.ts";
import { mysqlFaultKinds, lacks } from "../../../support/sql/kinds.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

for (const kind of mysqlFaultKinds) holderFaults(kind, lacks(kind), async () => (await sharedServer(kind)).url);
