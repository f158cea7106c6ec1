import { networkFaults } from "../../../support/faults/network.ts";
import { memcachedFaults } from "../../../support/memcached/fault-subject.ts";
import { faultKinds } from "../../../support/memcached/server.ts";

for (const kind of faultKinds) networkFaults(memcachedFaults(kind));
