import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Subject } from "../../../src/testing/suite.ts";
import { placeOf } from "../../../src/testing/place.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

function subject(name: string, options: MemoryStoreOptions): Subject {
  return {
    name,
    async place() {
      const server = new CellServer(options);
      return placeOf(() => storeBackend({ name, store: server.store() }));
    },
  };
}

/** Servers that do as little as they may, and as much as they can. */
export const subjects: readonly Subject[] = [
  subject("store-one", { atomic: "one", clock: "client", scan: false, revisions: true, servers: 3 }),
  subject("store-any", { atomic: "any", messages: true, watch: true }),
  subject("store-none", { atomic: "any", clock: "none", watch: true }),
  // Messages go through cells, no commit is compared with a clock, and none tells what it made.
  subject("store-watch", { atomic: "any", timed: false, watch: true, revisions: false }),
];
