import type { Backend, BackendDefinition } from "../port/index.ts";
import { closingShared } from "./closing.ts";
import { checkDefinition } from "./definition.ts";

/** What `defineBackend` takes. */
export interface BackendSource<Options> extends BackendDefinition<Options> {
  /** Makes the backend. No I/O: it reaches its server when it is opened. Throws InvalidArgumentError. */
  open(options: Options): Backend;
}

/** A backend that is defined: a function that makes it, which `connect` and the like take as one of `backends`. */
export interface DefinedBackend<Options> extends BackendSource<Options> {
  /**
   * Makes the backend, for `connect` and for the constructors of its classes. No I/O. Throws InvalidArgumentError.
   *
   * Closing it closes first what was made on it, as `close` of a `connect` does: running functions may finish for 10 seconds,
   * then they are aborted, and what is held is released.
   */
  (options: Options): Backend;
}

/**
 * Defines a backend. Throws InvalidArgumentError for a definition that is not valid.
 *
 * `connect(url, { backends: [toy] })` reaches it by its URLs, `connect(toy(options))` by its options. Its classes extend those of
 * any backend: `class ToyLock extends BackendLock {}`.
 */
export function defineBackend<Options>(source: BackendSource<Options>): DefinedBackend<Options> {
  checkDefinition(source);
  const { name, schemes, example, about, dependency } = source;
  const make = (options: Options): Backend => closingShared(source.open(options));
  // A function's own name is read-only.
  Object.defineProperty(make, "name", { value: name });
  return Object.assign(make, {
    schemes,
    example,
    about,
    dependency,
    fromUrl: source.fromUrl.bind(source),
    open: source.open.bind(source),
  });
}
