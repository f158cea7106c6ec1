export { memoryBackend, type MemoryOptions } from "./backend.ts";
export { MemoryServer } from "./server.ts";
