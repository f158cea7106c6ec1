import { etcdFaultKinds, lacks } from "../../../support/etcd/kinds.ts";
import { shared } from "../../../support/etcd/shared.ts";
import { holderFaults } from "../../../support/faults/server.ts";

for (const kind of etcdFaultKinds) holderFaults(kind, lacks(kind), async () => (await shared.single(kind)).url, 4_000);
