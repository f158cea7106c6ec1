import { rowFaults } from "../../../support/sql/faults/rows.ts";
import { mysqlFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of mysqlFaultKinds) rowFaults(kind);
