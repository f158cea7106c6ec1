// Subjects: a server that nobody can reach, one that is there, and two that claim to be like that one, one of them in vain.
import { memoryBackend, MemoryServer } from "../../../src/backends/memory/index.ts";
import { nullBackend } from "../../../src/backends/null/index.ts";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import { portCases } from "../../../src/testing/port-suite.ts";
import { stateCases } from "../../../src/testing/state-suite.ts";
import { compareLikes, conform, conformAbove, type FoundSubject } from "../../support/conform.ts";

const away = placeOf(() => redisBackend({ url: "redis://127.0.0.1:1", connectTimeout: 200 }));
const onMemory = async () => {
  const server = new MemoryServer();
  return placeOf(() => memoryBackend({ server }));
};
const there: FoundSubject = { name: "there", place: onMemory };
const alike: FoundSubject = { name: "alike", place: onMemory, model: there };
const unlike: FoundSubject = { name: "unlike", place: async () => placeOf(() => nullBackend()), model: there };

await conform("port", portCases.slice(0, 2), [{ name: "away", place: async () => away }, there]);
await conformAbove("state", stateCases.slice(0, 2), [there, alike]);
compareLikes([there, alike, unlike]);
