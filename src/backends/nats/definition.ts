import type { BackendDefinition } from "../../port/index.ts";
import { dependency } from "./dependency.ts";
import type { NatsOptions } from "./index.ts";
import { parseNatsUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<NatsOptions> = {
  name: "nats",
  schemes,
  example: "nats://localhost:4222",
  about: "every machine: NATS with JetStream",
  dependency,
  fromUrl(url) {
    const text = url.withPassword();
    parseNatsUrl(text); // refused now, before the backend is loaded
    return { url: text };
  },
  async open(options) {
    const { natsBackend } = await import("./index.ts");
    return natsBackend(options);
  },
};
