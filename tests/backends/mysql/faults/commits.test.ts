import { commitFaults } from "../../../support/sql/faults/commits.ts";
import { mysqlFaultKinds } from "../../../support/sql/kinds.ts";

const limits = {
  mariadb: ["SET GLOBAL max_statement_time = 0.015", "SET GLOBAL idle_transaction_timeout = 1"],
  mysql: ["SET GLOBAL max_execution_time = 15", "SET GLOBAL wait_timeout = 1"],
} as const;
const lifted = {
  mariadb: ["SET GLOBAL max_statement_time = 0", "SET GLOBAL idle_transaction_timeout = 0"],
  mysql: ["SET GLOBAL max_execution_time = 0", "SET GLOBAL wait_timeout = 28800"],
} as const;

for (const kind of mysqlFaultKinds) commitFaults(kind, limits[kind], lifted[kind]);
