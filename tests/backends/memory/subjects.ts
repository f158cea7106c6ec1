import { setTimeout as pause } from "node:timers/promises";
import { memoryBackend, MemoryServer } from "../../../src/backends/memory/index.ts";
import type { Subject } from "../../../src/testing/suite.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";
import type { TestSubject } from "../../support/conform.ts";
import { limitedBackend } from "../../support/limited.ts";
import { placeOf } from "../../../src/testing/place.ts";

/** Memory on a virtual clock: fast, and what a case finds does not hang on the machine's load. */
export const memoryVirtual: Subject = {
  name: "memory (virtual clock)",
  unit: 1_000,
  async place() {
    const time = virtualTime();
    const server = new MemoryServer({ time });
    return placeOf(() => memoryBackend({ server }), { elapse: async (ms) => time.advance(ms) });
  },
};

const memoryReal: Subject = {
  name: "memory",
  async place() {
    const server = new MemoryServer();
    return placeOf(() => memoryBackend({ server }));
  },
};

/** Memory, declaring the least that a backend can. */
const limited: Subject = {
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
    return placeOf(() => limitedBackend(memoryBackend({ server })), {
      elapse: async (ms) => time.advance(ms),
      async remove() {
        over = true;
      },
    });
  },
};

export const subjects: readonly TestSubject[] = [memoryVirtual, memoryReal, limited];
