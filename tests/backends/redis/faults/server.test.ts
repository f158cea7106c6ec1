import { serverFaults } from "../../../support/faults/server.ts";
import { redisFaults } from "../../../support/redis/fault-subject.ts";
import { faultKinds } from "../../../support/redis/kinds.ts";

for (const kind of faultKinds) serverFaults(redisFaults(kind));
