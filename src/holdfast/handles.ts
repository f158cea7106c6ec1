import { WeakNames } from "../base/weak-names.ts";

type Given = Readonly<Record<string, unknown>>;

const none: Given = {};

/**
 * The handle that was made last for each name: who asks with the same options gets it again, who asks with others a
 * handle of its own.
 */
export class Handles<T extends object> {
  readonly #latest = new WeakNames<T>();
  readonly #options = new WeakMap<T, Given>();

  get<Options extends object>(name: string, options: Options | undefined, make: (options?: Options) => T): T {
    const given = (options ?? none) as Given;
    const latest = this.#latest.get(name);
    if (latest && isSame(this.#options.get(latest) ?? none, given)) return latest;
    const made = make(options);
    this.#latest.set(name, made);
    if (options !== undefined) this.#options.set(made, { ...given });
    return made;
  }
}

/** Whether each option is the same, or is given by neither. */
function isSame(before: Given, now: Given): boolean {
  if (before === now) return true;
  return Object.keys({ ...before, ...now }).every((option) => Object.is(before[option], now[option]));
}
