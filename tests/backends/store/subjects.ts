import { storeBackend } from "../../../src/backends/store/index.ts";
import type { Backend } from "../../../src/port/index.ts";
import { elapse } from "../../../src/testing/elapse.ts";
import type { Place, Subject } from "../../../src/testing/suite.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

function subject(name: string, options: MemoryStoreOptions): Subject {
  return {
    name,
    async place(): Promise<Place> {
      const server = new CellServer(options);
      const made: Backend[] = [];
      return {
        backend() {
          const backend = storeBackend({ name, store: server.store() });
          made.push(backend);
          return backend;
        },
        elapse,
        async close() {
          await Promise.all(made.map(async (backend) => backend.close()));
        },
      };
    },
  };
}

/** Servers that do as little as they may, and as much as they can. */
export const storeSubjects: readonly Subject[] = [
  subject("store-one", { atomic: "one", clock: "client", scan: false, revisions: true }),
  subject("store-any", { atomic: "any", messages: true, watch: true }),
];
