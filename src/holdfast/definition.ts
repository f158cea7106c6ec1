import { InvalidArgumentError } from "../base/errors.ts";
import type { BackendDefinition } from "../port/index.ts";
import { isSchemePattern } from "../url/schemes.ts";

/** Throws InvalidArgumentError for what is no definition of a backend. */
export function checkDefinition(definition: unknown): void {
  const { name, schemes, example, about, dependency, fromUrl, open } = (definition ?? {}) as Partial<
    Record<keyof BackendDefinition, unknown>
  >;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    refuse("name must be of lower case letters, digits and hyphens");
  }
  if (!Array.isArray(schemes) || schemes.length === 0) refuse("schemes must be an array, and name one at least");
  for (const scheme of schemes as unknown[]) {
    if (typeof scheme !== "string" || !isSchemePattern(scheme)) {
      refuse('a scheme is written as "toy://", or as "toy:" where no host follows');
    }
  }
  for (const [what, text] of Object.entries({ example, about })) {
    if (text !== undefined && (typeof text !== "string" || text === ""))
      refuse(`${what} must be text, if there is any`);
  }
  if (dependency !== undefined) checkDependency(dependency);
  if (typeof fromUrl !== "function") refuse("fromUrl must be a function");
  if (typeof open !== "function") refuse("open must be a function");
}

function checkDependency(dependency: unknown): void {
  const { name, range } = (dependency ?? {}) as { readonly name?: unknown; readonly range?: unknown };
  if (typeof name !== "string" || name === "" || typeof range !== "string" || range === "") {
    refuse("dependency must have the name of a package and the range of its versions");
  }
}

function refuse(why: string): never {
  throw new InvalidArgumentError(`this is no definition of a backend: ${why}`);
}
