import { InvalidArgumentError } from "../base/errors.ts";
import { WeakNames } from "../base/weak-names.ts";

type Given = Readonly<Record<string, unknown>>;

const none: Given = {};

/** The stores, caches or locks of a Holdfast: one object a name, so that all modules of an application share it. */
export class Named<T extends object> {
  readonly #what: string;
  readonly #made = new WeakNames<T>();
  /** The options that they were made with, if any. They stay the same if the object was given back meanwhile. */
  readonly #options = new Map<string, Given>();
  /** Many names are made with the same options, which are kept once. */
  #last: Given = none;

  /** `what` names them in errors, such as `"cache"`. */
  constructor(what: string) {
    this.#what = what;
  }

  /**
   * The object of that name. The first call makes it with its options. Later calls give the same options or none.
   * Throws InvalidArgumentError otherwise.
   */
  get<Options extends object>(name: string, options: Options | undefined, make: (options?: Options) => T): T {
    let value = this.#made.get(name);
    const before = value || this.#options.has(name) ? (this.#options.get(name) ?? none) : undefined;
    if (before && options !== undefined) this.#compare(name, before, options as Given);
    if (value) return value;
    const given = before ? (before as Options) : options;
    value = make(given);
    this.#made.set(name, value);
    if (!before && options !== undefined) this.#remember(name, options as Given);
    return value;
  }

  #remember(name: string, options: Given): void {
    const given = Object.fromEntries(Object.entries(options).filter(([, option]) => option !== undefined));
    if (Object.keys(given).length === 0) return;
    if (difference(this.#last, given).length > 0) this.#last = given;
    this.#options.set(name, this.#last);
  }

  #compare(name: string, before: Given, now: Given): void {
    const other = difference(before, now);
    if (other.length === 0) return;
    throw new InvalidArgumentError(
      `the ${this.#what} ${JSON.stringify(name)} was made with other options (${other.join(", ")}): ` +
        "give the same ones or none, or make it once and share it",
    );
  }
}

/** The names of the options that differ. */
function difference(before: Given, now: Given): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((option) => !Object.is(before[option], now[option]));
}
