/** Bits of a filter: with four a name, one of ten million names in twenty is taken for another. */
const bitCount = 2 ** 26;
const hashes = 4;

/**
 * A set of names in a fixed number of bytes (8 MiB), whatever their number. It may say of a name that is not in it that
 * it is, and of few while they are fewer than ten millions; never the other way round.
 */
export class NameFilter {
  /** Which names are taken for others differs from one filter to the next. */
  readonly #salt = Math.floor(Math.random() * 2 ** 32);
  #bits: Uint32Array | undefined;

  add(name: string): void {
    const bits = (this.#bits ??= new Uint32Array(bitCount / 32));
    let [hash, step] = this.#hash(name);
    for (let i = 0; i < hashes; i++) {
      const bit = hash & (bitCount - 1);
      bits[bit >>> 5] = (bits[bit >>> 5] as number) | (1 << (bit & 31));
      hash = (hash + step) | 0;
      step = (step + 0x9e3779b9) | 0;
    }
  }

  has(name: string): boolean {
    const bits = this.#bits;
    if (!bits) return false;
    let [hash, step] = this.#hash(name);
    for (let i = 0; i < hashes; i++) {
      const bit = hash & (bitCount - 1);
      if (!((bits[bit >>> 5] as number) & (1 << (bit & 31)))) return false;
      hash = (hash + step) | 0;
      step = (step + 0x9e3779b9) | 0;
    }
    return true;
  }

  #hash(name: string): [number, number] {
    let one = this.#salt | 0;
    let two = ~this.#salt;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      one = Math.imul(one ^ unit, 0x85ebca6b);
      one ^= one >>> 15;
      two = Math.imul(two ^ unit, 0xc2b2ae35);
      two ^= two >>> 13;
    }
    return [Math.imul(one ^ (one >>> 16), 0x27d4eb2d), two | 1];
  }
}
