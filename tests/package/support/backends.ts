import path from "node:path";
import { pathToFileURL } from "node:url";
import { makerOf } from "../../../scripts/lib/export-rules.ts";
import { root } from "../../../scripts/lib/run.ts";
import { meaningOf } from "../../../src/backends/by-url.ts";
import { definitions } from "../../../src/backends/definitions.generated.ts";

/** A backend as a consumer of the package sees it. */
export interface PublicBackend {
  readonly name: string;
  /** A URL of it that needs nothing but its server. */
  readonly url: string;
  /** The function that makes it, and a call of that. */
  readonly maker: string;
  readonly making: string;
  /** Its state store's class. */
  readonly store: string;
  /** The package of its driver. */
  readonly driver: string | undefined;
}

/** Every backend of the package, by its definition and its entry. */
export const backends: readonly PublicBackend[] = await Promise.all(
  definitions.map(async ({ name, schemes: [first = ""], example: url = first, dependency }) => {
    const { href } = pathToFileURL(path.join(root, "src/entries", `${name}.ts`));
    const exported = Object.keys((await import(href)) as object);
    const maker = makerOf(name, exported) ?? "";
    const store = exported.find((one) => one.endsWith("StateStore")) ?? "";
    // What a relative path means depends on where a program runs.
    const options = JSON.stringify(meaningOf(url, definitions).options ?? {}).replaceAll(process.cwd(), ".");
    return { name, url, maker, making: `${maker}(${options})`, store, driver: dependency?.name };
  }),
);
