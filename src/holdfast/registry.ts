import { InvalidArgumentError } from "../base/errors.ts";
import { meaningOf } from "../backends/by-url.ts";
import { definitions as own } from "../backends/definitions.generated.ts";
import type { Backend, BackendDefinition, Use } from "../port/index.ts";
import { closingShared } from "./closing.ts";
import { checkDefinition } from "./definition.ts";

/**
 * The backend of a URL: one of the given ones, or one of this package. Loads the module of that backend only. No other
 * I/O.
 */
export async function findBackend(
  text: string,
  use: Use,
  given: readonly BackendDefinition[] | undefined,
): Promise<Backend> {
  const definitions = given === undefined ? own : [...checkGiven(given), ...own];
  const { definition, options } = meaningOf(text, definitions, use);
  return closingShared(await definition.open(options));
}

function checkGiven(given: readonly BackendDefinition[]): readonly BackendDefinition[] {
  if (!Array.isArray(given)) throw new InvalidArgumentError("backends must be an array of what defineBackend gave");
  for (const definition of given) checkDefinition(definition);
  return given as readonly BackendDefinition[];
}

/** A backend, and whether it is ours to close. */
export interface Reached {
  readonly backend: Backend;
  readonly own: boolean;
}

/** Closes what is ours. */
export async function closeOwn(reached: readonly Reached[]): Promise<void> {
  await Promise.all(reached.map(async ({ backend, own: ours }) => (ours ? backend.close() : undefined)));
}
