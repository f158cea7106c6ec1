import { serverFaults } from "../../../support/faults/server.ts";
import { sqlFaults } from "../../../support/sql/fault-subject.ts";
import { postgresFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of postgresFaultKinds) serverFaults(sqlFaults(kind));
