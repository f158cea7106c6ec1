import { serverFaults } from "../../../support/faults/server.ts";
import { redisFaults } from "../../../support/redis/fault-subject.ts";
import { aloneKinds } from "../../../support/redis/kinds.ts";

for (const kind of aloneKinds) serverFaults(redisFaults(kind));
