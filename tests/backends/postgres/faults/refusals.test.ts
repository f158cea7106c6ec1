import { sqlRefusals } from "../../../support/sql/faults/refusals.ts";
import { postgresFaultKinds } from "../../../support/sql/kinds.ts";

const says = { readOnly: /read-only/, full: /too many connections|administrator/ };
for (const kind of postgresFaultKinds) sqlRefusals(kind, says);
