import { networkFaults } from "../../../support/faults/network.ts";
import { redisFaults } from "../../../support/redis/fault-subject.ts";
import { faultKinds } from "../../../support/redis/kinds.ts";

for (const kind of faultKinds) networkFaults(redisFaults(kind));
