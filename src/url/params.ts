import { decodePart, refuseUrl } from "./cut.ts";

/** The query parameters of a URL, each at most once. Printing, inspecting or serialising them shows none. */
export class Params {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** The decoded value; `""` for a name without `=`, undefined for a name that is not there. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The decoded names, in the order of the URL. */
  names(): string[] {
    return [...this.#values.keys()];
  }
}

/** A parameter's name to be shown. Where a question mark stands in a password, the rest of it looks like one. */
export function showName(name: string): string {
  return /^[a-z][a-z0-9_.-]*$/i.test(name) ? name : "***";
}

/** `a=1&b=2`. A plus sign is a plus sign. */
export function parseQuery(query: string): Params {
  const values = new Map<string, string>();
  if (query === "") return new Params(values);
  for (const [i, pair] of query.split("&").entries()) {
    const what = `query parameter ${i + 1}`;
    const equals = pair.indexOf("=");
    const name = decodePart(equals < 0 ? pair : pair.slice(0, equals), what);
    if (name === "") refuseUrl(`${what} has no name`);
    if (values.has(name)) refuseUrl(`${what} repeats an earlier one`);
    values.set(name, equals < 0 ? "" : decodePart(pair.slice(equals + 1), what));
  }
  return new Params(values);
}
