import { serverFaults } from "../../../support/faults/server.ts";
import { memcachedFaults } from "../../../support/memcached/fault-subject.ts";
import { faultKinds } from "../../../support/memcached/server.ts";

for (const kind of faultKinds) serverFaults(memcachedFaults(kind));
