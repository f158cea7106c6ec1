import { createHash } from "node:crypto";

/** Most texts that get a name: what a server keeps for each costs it memory, on every connection. */
const mostNames = 256;

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
