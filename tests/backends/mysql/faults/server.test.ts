import { serverFaults } from "../../../support/faults/server.ts";
import { sqlFaults } from "../../../support/sql/fault-subject.ts";
import { mysqlFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of mysqlFaultKinds) serverFaults(sqlFaults(kind));
