import { serverFaults } from "../../../support/faults/server.ts";
import { clusterFaults } from "../../../support/nats/cluster.ts";
import { natsFaults } from "../../../support/nats/fault-subject.ts";
import { natsFaultClusters, natsFaultKinds } from "../../../support/nats/kinds.ts";

for (const kind of natsFaultKinds) serverFaults(natsFaults(kind));
for (const kind of natsFaultClusters) serverFaults(clusterFaults(kind));
