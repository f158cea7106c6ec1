// Tries to connect where package redis is not installed.
import * as modules from "node:module";
import { systemTime } from "../../../../../src/base/time.ts";
import { makeRouter } from "../../../../../src/backends/redis/connections/index.ts";

type Resolve = (specifier: string, context: object) => unknown;
const { registerHooks } = modules as unknown as {
  registerHooks(hooks: { resolve(specifier: string, context: object, next: Resolve): unknown }): void;
};

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "redis") throw Object.assign(new Error("not there"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});
const started = performance.now();
const router = makeRouter({ url: "redis://127.0.0.1:1" }, systemTime);
await router.ready(systemTime.monotonic() + 5_000).catch((error: unknown) => {
  process.stdout.write(`${String(error)} ${performance.now() - started < 4_500 ? "at once" : "late"}\n`);
});
