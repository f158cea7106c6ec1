import { etcdFaults } from "../../../support/etcd/fault-subject.ts";
import { etcdFaultKinds } from "../../../support/etcd/kinds.ts";
import { networkFaults } from "../../../support/faults/network.ts";

for (const kind of etcdFaultKinds) networkFaults(etcdFaults(kind));
