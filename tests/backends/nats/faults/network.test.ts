import { networkFaults } from "../../../support/faults/network.ts";
import { natsFaults } from "../../../support/nats/fault-subject.ts";
import { natsFaultKinds } from "../../../support/nats/kinds.ts";

for (const kind of natsFaultKinds) networkFaults(natsFaults(kind));
