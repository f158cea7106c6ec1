import { holderFaults } from "../../../support/faults/server.ts";
import { fencedUrl } from "../../../support/memcached/fault-subject.ts";
import { faultKinds, lacks, sharedMemcached, sharedThree } from "../../../support/memcached/server.ts";

for (const kind of faultKinds) {
  holderFaults(kind, lacks(kind), async () => fencedUrl((await sharedMemcached(kind)).port));
  holderFaults(`three of ${kind}`, lacks(kind), async () => {
    return fencedUrl(...(await sharedThree(kind)).map(({ port }) => port));
  });
}
