import { commitFaults } from "../../../support/sql/faults/commits.ts";
import { postgresFaultKinds } from "../../../support/sql/kinds.ts";

for (const kind of postgresFaultKinds) {
  commitFaults(
    kind,
    [
      "ALTER ROLE app SET statement_timeout = '15ms'",
      "ALTER ROLE app SET idle_in_transaction_session_timeout = '10ms'",
    ],
    ["ALTER ROLE app RESET ALL"],
  );
}
