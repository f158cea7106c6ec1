// Tries to connect where the package that it is told is not installed.
import * as modules from "node:module";
import { connect } from "../../../../src/entries/index.ts";

type Resolve = (specifier: string, context: object) => unknown;
const { registerHooks } = modules as unknown as {
  registerHooks(hooks: { resolve(specifier: string, context: object, next: Resolve): unknown }): void;
};

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === process.argv[2]) throw Object.assign(new Error("not there"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});
await connect("nats://127.0.0.1:1").catch((error: unknown) => process.stdout.write(`${String(error)}\n`));
