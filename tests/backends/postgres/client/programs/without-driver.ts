// Tries to connect where package pg is not installed.
import * as modules from "node:module";
import { postgresClient } from "../../../../../src/backends/postgres/client.ts";

type Resolve = (specifier: string, context: object) => unknown;
const { registerHooks } = modules as unknown as {
  registerHooks(hooks: { resolve(specifier: string, context: object, next: Resolve): unknown }): void;
};

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "pg") throw Object.assign(new Error("not there"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});
const started = performance.now();
const client = postgresClient({ url: "postgres://127.0.0.1:1" });
await client.open({ deadline: started + 5_000 }).catch((error: unknown) => {
  process.stdout.write(`${String(error)} ${performance.now() - started < 4_500 ? "at once" : "late"}\n`);
});
