import { sqlRefusals } from "../../../support/sql/faults/refusals.ts";
import { mysqlFaultKinds } from "../../../support/sql/kinds.ts";

const says = { readOnly: /read_only/, full: /too many connections|killed/ };
for (const kind of mysqlFaultKinds) sqlRefusals(kind, says);
