import { networkFaults } from "../../../support/faults/network.ts";
import { sqlFaults } from "../../../support/sql/fault-subject.ts";
import { postgresFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of postgresFaultKinds) networkFaults(sqlFaults(kind));
