import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { limitedBackend } from "./limited.ts";
import type { TestSubject } from "./conform.ts";
import { redisSubject } from "./redis/subjects.ts";
import { storeSubjects } from "../backends/store/subjects.ts";
import { reachBackends } from "../../scripts/lib/backends.ts";
import { lmdbBackend } from "../../src/backends/lmdb/index.ts";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { nullBackend } from "../../src/backends/null/index.ts";
import type { Backend } from "../../src/port/index.ts";
import { elapse } from "../../src/testing/elapse.ts";
import type { Place, Subject } from "../../src/testing/suite.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

/** A place whose backends `make` makes; `elapse` waits for real unless told. */
function place(
  make: () => Backend,
  options: { readonly elapse?: (ms: number) => Promise<void>; readonly remove?: () => Promise<void> } = {},
): Place {
  const made: Backend[] = [];
  return {
    backend() {
      const backend = make();
      made.push(backend);
      return backend;
    },
    elapse: options.elapse ?? elapse,
    async close() {
      await Promise.all(made.map(async (backend) => backend.close()));
      await options.remove?.();
    },
  };
}

/** Memory on a virtual clock: fast, and what a case finds does not hang on the machine's load. */
export const memoryVirtual: Subject = {
  name: "memory (virtual clock)",
  unit: 1_000,
  async place() {
    const time = virtualTime();
    const server = new MemoryServer({ time });
    return place(() => memoryBackend({ server }), { elapse: async (ms) => time.advance(ms) });
  },
};

export const memoryReal: Subject = {
  name: "memory",
  async place() {
    const server = new MemoryServer();
    return place(() => memoryBackend({ server }));
  },
};

/** Memory, declaring the least that a backend can. */
export const limited: Subject = {
  name: "limited",
  unit: 1_000,
  async place() {
    const time = virtualTime();
    const server = new MemoryServer({ time });
    // Its clock goes on by itself as well: who is told of nothing asks again by a timer.
    let over = false;
    const tick = async (): Promise<void> => {
      for (; !over; await pause(1)) await time.advance(1);
    };
    void tick();
    return place(() => limitedBackend(memoryBackend({ server })), {
      elapse: async (ms) => time.advance(ms),
      async remove() {
        over = true;
      },
    });
  },
};

export const nothing: TestSubject = {
  name: "null",
  unit: 1,
  // It answers at once, so cases never wait: several only keep each other from the event loop.
  atOnce: 1,
  place: async () => place(() => nullBackend()),
};

export const lmdb: TestSubject = {
  name: "lmdb",
  // Each backend is a thread that starts and flushes: they hold each other up.
  unit: 500,
  atOnce: 8,
  async place() {
    const folder = await mkdtemp(path.join(tmpdir(), "holdfast-"));
    const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
    return place(() => lmdbBackend({ path: folder }), { remove });
  },
};

const own: Readonly<Record<string, readonly TestSubject[]>> = {
  null: [nothing],
  memory: [memoryVirtual, memoryReal, limited],
  // The engine of compare-and-set servers, on stores in memory.
  store: storeSubjects,
  lmdb: [lmdb],
};
const only = process.env["HOLDFAST_SUBJECTS"]?.split(",");
const present = (await reachBackends()).filter(
  ({ backend, missing }) => missing === undefined && (only === undefined || only.includes(backend)),
);

/**
 * Every backend that the conformance suites run on: those that can be reached here, which `npm test` lists. HOLDFAST_SUBJECTS names
 * some of them, such as `redis,redis-cluster`.
 */
export const subjects: readonly TestSubject[] = present.flatMap(({ backend, server }) =>
  server === undefined ? (own[backend] ?? []) : [redisSubject(backend, server)],
);
