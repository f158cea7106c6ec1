import { InvalidArgumentError } from "../base/errors.ts";

/** What an application asked for by name: one object a name, so that all of its modules share it. */
export class Named<T> {
  readonly #what: string;
  readonly #made = new Map<string, { readonly value: T; readonly options: Readonly<Record<string, unknown>> }>();

  /** `what` is said in errors, such as `"cache"`. */
  constructor(what: string) {
    this.#what = what;
  }

  /**
   * The object of that name, made at the first call. Later calls give the same options or none. Throws InvalidArgumentError
   * otherwise.
   */
  get(name: string, options: object | undefined, make: () => T): T {
    const known = this.#made.get(name);
    if (!known) {
      const value = make();
      this.#made.set(name, { value, options: { ...options } });
      return value;
    }
    if (options !== undefined) this.#compare(name, known.options, { ...options });
    return known.value;
  }

  #compare(name: string, before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): void {
    const names = new Set([...Object.keys(before), ...Object.keys(now)]);
    const other = [...names].filter((option) => !Object.is(before[option], now[option]));
    if (other.length === 0) return;
    throw new InvalidArgumentError(
      `the ${this.#what} ${JSON.stringify(name)} was made with other options (${other.join(", ")}): ` +
        "give the same ones or none, or make it once and share it",
    );
  }
}
