import { networkFaults } from "../../../support/faults/network.ts";
import { sqlFaults } from "../../../support/sql/fault-subject.ts";
import { mysqlFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of mysqlFaultKinds) networkFaults(sqlFaults(kind));
