import { createHash } from "node:crypto";

/** Most texts that get a name: what a server keeps for each costs it memory, on every connection. */
const mostNames = 256;

/** How many names a statement is sent by on a connection, until it is prepared by one of them. */
const mostTries = 4;

/** The server plans a prepared statement anew for five runs, and keeps the plan that it makes for the sixth. */
const runsUntilPlanned = 6;

/** The names that statements are prepared by on every connection: one for each text, of which there are few. */
export class Names {
  readonly #names = new Map<string, string>();
  #dropped = false;

  /** Undefined where nothing can stay prepared. */
  of(text: string): string | undefined {
    if (this.#dropped) return undefined;
    let name = this.#names.get(text);
    if (name === undefined) {
      if (this.#names.size >= mostNames) return undefined;
      name = `holdfast_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
      this.#names.set(text, name);
    }
    return name;
  }

  /** There is a pooler that hands each transaction to another connection, or DISCARD ALL: what was prepared is lost. */
  drop(): void {
    this.#dropped = true;
    this.#names.clear();
  }
}

/** What the server has prepared on one connection. */
export class Prepared {
  readonly #names: Names;
  readonly #isParsed: (name: string) => boolean;
  /** How often the server has planned what has a name. */
  readonly #runs = new Map<string, number>();
  /**
   * How many names of a text failed. Behind another failure the server prepares nothing; but a pooler has noted the
   * name, and cuts a connection that sends it again.
   */
  readonly #spoiled = new Map<string, number>();

  /** `isParsed`: whether the driver has heard that the server has prepared the name. */
  constructor(names: Names, isParsed: (name: string) => boolean) {
    this.#names = names;
    this.#isParsed = isParsed;
  }

  /** The name to send a text by; undefined for none. */
  nameOf(text: string): string | undefined {
    const name = this.#names.of(text);
    const failed = this.#spoiled.get(text) ?? 0;
    if (failed === 0 || name === undefined) return name;
    return failed < mostTries ? `${name}_${failed}` : undefined;
  }

  /** Whether the server has settled on a plan for a text. */
  isPlanned(text: string): boolean {
    const name = this.nameOf(text);
    return name !== undefined && (this.#runs.get(name) ?? 0) >= runsUntilPlanned;
  }

  /** Whether the server has prepared it: if it says otherwise from now on, somebody has discarded it. */
  has(name: string): boolean {
    return this.#runs.has(name);
  }

  /** The server has run it; `plans`: and has made a plan for it that it may keep. */
  ran(name: string, plans: boolean): void {
    this.#runs.set(name, (this.#runs.get(name) ?? 0) + (plans ? 1 : 0));
  }

  /** A text has failed that was sent by a name. `lost`: it is not prepared, or was already, though it was `known`. */
  failed(text: string, name: string, { known, lost }: { readonly known: boolean; readonly lost: boolean }): void {
    if (lost) this.#names.drop();
    if (known) return;
    // Where it is not prepared, a statement ahead of it has failed before it could be.
    if (this.#isParsed(name)) this.#runs.set(name, 0);
    else this.#spoiled.set(text, (this.#spoiled.get(text) ?? 0) + 1);
  }
}
