import type { BackendDefinition } from "../../port/index.ts";
import { refuseParams } from "../../url/backend-url.ts";
import { localPath } from "../../url/local-path.ts";
import { dependency } from "./dependency.ts";
import type { LmdbOptions } from "./index.ts";

export const definition: BackendDefinition<LmdbOptions> = {
  name: "lmdb",
  schemes: ["file:"],
  example: "file:./data",
  about: "every process of this machine",
  dependency,
  fromUrl(url) {
    const path = localPath(url, "directory", "dir");
    refuseParams(url);
    return { path };
  },
  async open(options) {
    const { lmdbBackend } = await import("./index.ts");
    return lmdbBackend(options);
  },
};
