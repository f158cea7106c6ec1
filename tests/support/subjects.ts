import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { nullBackend } from "../../src/backends/null/index.ts";
import type { Backend } from "../../src/port/index.ts";
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
    elapse: options.elapse ?? pause,
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

export const nothing: Subject = {
  name: "null",
  unit: 1,
  place: async () => place(() => nullBackend()),
};

const lmdbEntry = path.resolve(import.meta.dirname, "../../src/backends/lmdb/index.ts");

async function lmdb(): Promise<Subject> {
  const { lmdbBackend } = (await import(lmdbEntry)) as { lmdbBackend: (options: { path: string }) => Backend };
  return {
    name: "lmdb",
    async place() {
      const folder = await mkdtemp(path.join(tmpdir(), "holdfast-"));
      const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
      return place(() => lmdbBackend({ path: folder }), { remove });
    },
  };
}

/** Every backend that the conformance suites run on. */
export const subjects: readonly Subject[] = [
  memoryVirtual,
  memoryReal,
  nothing,
  ...(existsSync(lmdbEntry) ? [await lmdb()] : []),
];
