import { isHoldfastError } from "../base/errors.ts";
import type { BackendDefinition, Use } from "../port/index.ts";
import { parseUrl, shown } from "../url/backend-url.ts";
import { matchesScheme } from "../url/schemes.ts";

/** What a URL means: a backend, and options for it. */
export interface Meaning {
  readonly definition: BackendDefinition;
  readonly options: unknown;
  /** The URL without its secrets. */
  readonly shown: string;
}

/** What a URL means. Where several definitions have its scheme, it is of the first. Throws InvalidArgumentError. */
export function meaningOf(text: unknown, definitions: readonly BackendDefinition[], use: Use = "all"): Meaning {
  const schemes = definitions.flatMap((definition) => definition.schemes);
  const url = parseUrl(text, schemes);
  const definition = definitions.find((one) => one.schemes.some((scheme) => matchesScheme(scheme, url.scheme)));
  if (!definition) throw new Error("a URL of a known scheme has no definition");
  return { definition, options: definition.fromUrl(url, use), shown: shown(url) };
}

/**
 * A URL to be shown: user, password and the values of the parameters are replaced by `***`. Of what is no valid URL
 * nothing is shown, since any part of it may be a password.
 */
export function redactUrl(text: string, definitions: readonly BackendDefinition[]): string {
  try {
    return meaningOf(text, definitions).shown;
  } catch (error) {
    if (isHoldfastError(error, "INVALID_ARGUMENT")) return "***";
    throw error;
  }
}
