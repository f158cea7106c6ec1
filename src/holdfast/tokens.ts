import { isOfClass, type PublicClass } from "../base/classes.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import type { Cache as CacheClass } from "../cache/index.ts";
import type { Lock as LockClass } from "../lock/index.ts";
import type { StateStore as StateStoreClass } from "../state/index.ts";
import type { Holdfast as HoldfastClass } from "./holdfast.ts";

/*
 * The classes as the package exports them: for `instanceof`, and as tokens of dependency injection. They load nothing:
 * what makes an object of such a class loads it.
 */

/** A class that nobody makes objects of with `new`. */
type Token<T> = abstract new (...never: never) => T;

/**
 * One instance of an application, made by `connect`. This value is for `instanceof` and for injection; `new` throws
 * InvalidArgumentError.
 */
export const Holdfast = token<HoldfastClass>("Holdfast", "await connect(url)");
export type Holdfast = HoldfastClass;

/** Entries by key, made by `hf.state(name)` or the class of a backend. As a value see {@link Holdfast}. */
export const StateStore = token<StateStoreClass<unknown>>("StateStore", "hf.state(name)");
export type StateStore<T> = StateStoreClass<T>;

/** A cache, made by `hf.cache(name)` or the class of a backend. As a value see {@link Holdfast}. */
export const Cache = token<CacheClass>("Cache", "hf.cache(name)");
export type Cache<V = unknown> = CacheClass<V>;

/** Locks by key, made by `hf.lock(name)` or the class of a backend. As a value see {@link Holdfast}. */
export const Lock = token<LockClass>("Lock", "hf.lock(name)");
export type Lock<Tx = unknown> = LockClass<Tx>;

function token<T>(name: PublicClass, made: string): Token<T> {
  const Class = class {
    static [Symbol.hasInstance](value: unknown): boolean {
      return isOfClass(name, value);
    }

    constructor() {
      throw new InvalidArgumentError(`a ${name} is not made with new: ${made} gives one`);
    }
  };
  return Object.defineProperty(Class, "name", { value: name }) as unknown as Token<T>;
}
