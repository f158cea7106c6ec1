import { randomBytes } from "node:crypto";
import * as modules from "node:module";
import type { Subject } from "../../../src/testing/suite.ts";
import { placeOf } from "../../../src/testing/place.ts";
import { shared } from "../../support/redis/shared.ts";

// The example imports the package by its name, as its readers do: here that is the sources.
interface Hooks {
  resolve(specifier: string, context: object, next: (specifier: string, context: object) => unknown): unknown;
}
const entries = new URL("../../../src/entries/", import.meta.url);
// Node 20's types do not know it.
const { registerHooks } = modules as unknown as { registerHooks(hooks: Hooks): void };
registerHooks({
  resolve(specifier, context, next) {
    const [, entry] = /^holdfast\/(backend|testing)$/.exec(specifier) ?? [];
    return next(entry === undefined ? specifier : new URL(`${entry}.ts`, entries).href, context);
  },
});
const { ownRedis } = await import("../../../examples/own-backend/backend.ts");

/** The backend of the page "Your own backend in an afternoon", on a real server. */
export const subjects: readonly Subject[] = [
  {
    name: "own-redis",
    async place() {
      const { url } = await shared.single("redis");
      const prefix = `own-${randomBytes(6).toString("hex")}`;
      return placeOf(() => ownRedis({ url, prefix }));
    },
  },
];
