import { rowFaults } from "../../../support/sql/faults/rows.ts";
import { postgresFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of postgresFaultKinds) rowFaults(kind);
