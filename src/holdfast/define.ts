import { storeBackend } from "../backends/store/index.ts";
import type { Store } from "../backends/store/store.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Backend, BackendDefinition } from "../port/index.ts";
import { closingShared } from "./closing.ts";
import { checkDefinition } from "./definition.ts";
import { isBackend } from "./is-backend.ts";

/** What `defineBackend` takes. */
export interface BackendSource<Options> extends Omit<BackendDefinition<Options>, "open"> {
  /**
   * Makes a store, of which the engine makes the backend, or a whole backend. No I/O: the server is reached when the
   * backend is opened. Throws InvalidArgumentError.
   */
  open(options: Options): Store | Backend;
}

/** A backend that is defined: a function that makes it, which `connect` and the like take as one of `backends`. */
export interface DefinedBackend<Options> extends BackendDefinition<Options> {
  /**
   * Makes the backend, for `connect` and for the constructors of its classes. No I/O. Throws InvalidArgumentError.
   *
   * Closing it closes first what was made on it, as `close` of a `connect` does: running functions may finish for 10
   * seconds, then they are aborted, and what is held is released.
   */
  (options: Options): Backend;
  open(options: Options): Backend;
}

/**
 * Defines a backend. Throws InvalidArgumentError for a definition that is not valid.
 *
 * `connect(url, { backends: [toy] })` reaches it by its URLs, `connect(toy(options))` by its options. Its classes
 * extend those of any backend: `class ToyLock extends BackendLock {}`.
 */
export function defineBackend<Options>(source: BackendSource<Options>): DefinedBackend<Options> {
  checkDefinition(source);
  const { name, schemes, example, about, dependency } = source;
  const open = (options: Options): Backend => backendOn(source.open(options), name);
  const make = (options: Options): Backend => closingShared(open(options));
  // A function's own name is read-only.
  Object.defineProperty(make, "name", { value: name });
  const fromUrl = source.fromUrl.bind(source);
  return Object.assign(make, { schemes, example, about, dependency, fromUrl, open });
}

function backendOn(made: Store | Backend, name: string): Backend {
  if (isBackend(made)) return made;
  const { read, commit, open } = (made as Partial<Store> | null | undefined) ?? {};
  if (typeof read === "function" && typeof commit === "function" && typeof open === "function") {
    return storeBackend({ name, store: made });
  }
  throw new InvalidArgumentError("open must give a store or a backend, at once", { backend: name });
}
