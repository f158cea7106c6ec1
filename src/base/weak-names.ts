/**
 * So many of the objects that were asked for last are kept, though nobody else may hold them: half of them at least.
 */
const mostKept = 1_024;

interface Entry<T extends object> {
  readonly name: string;
  readonly ref: WeakRef<T>;
  /** While it is one of those that were asked for last. */
  value: T | undefined;
  generation: number;
}

/**
 * Objects by name. Those that were asked for last stay, and those that somebody holds; the others are given back. Who
 * asks for one that was not given back gets that very object.
 */
export class WeakNames<T extends object> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #collected = new FinalizationRegistry<Entry<T>>((entry) => {
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name);
  });
  #generation = 0;
  #young: Entry<T>[] = [];
  #old: Entry<T>[] = [];

  /** Names that are known: more than objects for a while, until the collector has told of those that are gone. */
  get size(): number {
    return this.#entries.size;
  }

  get(name: string): T | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const value = entry.value ?? entry.ref.deref();
    if (value && entry.generation !== this.#generation) this.#keep(entry, value);
    return value;
  }

  set(name: string, value: T): void {
    const entry: Entry<T> = { name, ref: new WeakRef(value), value: undefined, generation: -1 };
    this.#entries.set(name, entry);
    this.#collected.register(value, entry);
    this.#keep(entry, value);
  }

  #keep(entry: Entry<T>, value: T): void {
    entry.value = value;
    entry.generation = this.#generation;
    if (this.#young.push(entry) < mostKept / 2) return;
    for (const one of this.#old) if (one.generation !== this.#generation) one.value = undefined;
    this.#old = this.#young;
    this.#young = [];
    this.#generation++;
  }
}
