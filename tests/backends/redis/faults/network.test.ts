import { networkFaults } from "../../../support/faults/network.ts";
import { redisFaults } from "../../../support/redis/fault-subject.ts";
import { aloneKinds } from "../../../support/redis/kinds.ts";

for (const kind of aloneKinds) networkFaults(redisFaults(kind));
