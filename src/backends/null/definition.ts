import type { BackendDefinition } from "../../port/index.ts";
import { refuseParams } from "../../url/backend-url.ts";
import { refuseUrl } from "../../url/cut.ts";

export const definition: BackendDefinition<undefined> = {
  name: "null",
  schemes: ["null:"],
  example: "null:",
  about: "keeps nothing, grants every lock",
  fromUrl(url) {
    if (url.path !== "") refuseUrl("nothing may follow null:");
    refuseParams(url);
  },
  async open() {
    const { nullBackend } = await import("./index.ts");
    return nullBackend();
  },
};
