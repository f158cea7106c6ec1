import type { BackendDefinition } from "../../port/index.ts";
import { refuseParams } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";
import type { MemoryOptions } from "./index.ts";

export const definition: BackendDefinition<MemoryOptions> = {
  name: "memory",
  schemes: ["memory:"],
  example: "memory:",
  about: "this process alone",
  /** `memory:` is a memory of its own for each backend, `memory:name` one for all that name it. */
  fromUrl(url) {
    if (url.path.startsWith("//")) refuseUrl("memory: takes no //; write memory: or memory:name");
    refuseParams(url);
    return { name: decodePart(url.path, "the name") || undefined };
  },
  async open(options) {
    const { memoryBackend } = await import("./index.ts");
    return memoryBackend(options);
  },
};
