import { etcdFaults } from "../../../support/etcd/fault-subject.ts";
import { etcdFaultKinds } from "../../../support/etcd/kinds.ts";
import { serverFaults } from "../../../support/faults/server.ts";

for (const kind of etcdFaultKinds) serverFaults(etcdFaults(kind));
