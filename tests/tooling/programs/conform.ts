// Two subjects: a server that nobody can reach, and one that is there.
import { memoryBackend, MemoryServer } from "../../../src/backends/memory/index.ts";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import { portCases } from "../../../src/testing/port-suite.ts";
import { conform } from "../../support/conform.ts";

const away = placeOf(() => redisBackend({ url: "redis://127.0.0.1:1", connectTimeout: 200 }));
const server = new MemoryServer();

await conform("port", portCases.slice(0, 2), [
  { name: "away", place: async () => away },
  { name: "there", place: async () => placeOf(() => memoryBackend({ server })) },
]);
