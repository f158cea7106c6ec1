import type { BackendDefinition } from "../../port/index.ts";
import type { EtcdOptions } from "./options.ts";
import { parseEtcdUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<EtcdOptions> = {
  name: "etcd",
  schemes,
  example: "etcd://localhost:2379",
  about: "every machine: etcd",
  fromUrl(url) {
    const text = url.withPassword();
    parseEtcdUrl(text); // refused now, before the backend is loaded
    return { url: text };
  },
  async open(options) {
    const { etcdBackend } = await import("./index.ts");
    return etcdBackend(options);
  },
};
