import type { Attempt, Prepared } from "./attempt.ts";

/** Most transactions of one request, and most bytes of content. */
const mostTransactions = 256;
const mostBytes = 1024 * 1024;

/** Attempts by requests of at most `most` keys; one attempt's are in one request. */
export function partedByKeys<T extends Pick<Attempt, "cells">>(
  attempts: readonly T[],
  most: number,
): readonly { readonly attempts: readonly T[]; readonly keys: readonly string[] }[] {
  const parts: { attempts: T[]; keys: Set<string> }[] = [];
  let part: (typeof parts)[number] | undefined;
  for (const attempt of attempts) {
    const { cells } = attempt;
    if (!part || part.keys.size + cells.length > most) parts.push((part = { attempts: [], keys: new Set() }));
    part.attempts.push(attempt);
    for (const cell of cells) part.keys.add(cell);
  }
  return parts.map(({ attempts: some, keys }) => ({ attempts: some, keys: [...keys] }));
}

/** Transactions by requests, in which none changes what another one changes or compares. */
export function partedByCells(all: readonly Prepared[]): readonly (readonly Prepared[])[] {
  const parts: Part[] = [];
  for (const one of all) {
    const room = parts.find((part) => part.takes(one));
    if (room) room.add(one);
    else parts.push(new Part(one));
  }
  return parts.map(({ prepared }) => prepared);
}

class Part {
  readonly prepared: Prepared[] = [];
  readonly #changed = new Set<string>();
  readonly #compared = new Set<string>();
  #bytes = 0;

  constructor(first: Prepared) {
    this.add(first);
  }

  takes({ transaction: { checks, changes }, bytes }: Prepared): boolean {
    if (this.prepared.length >= mostTransactions || this.#bytes + bytes > mostBytes) return false;
    return (
      changes.every(({ key }) => !this.#changed.has(key) && !this.#compared.has(key)) &&
      checks.every(({ key }) => !this.#changed.has(key))
    );
  }

  add(one: Prepared): void {
    this.prepared.push(one);
    this.#bytes += one.bytes;
    for (const { key } of one.transaction.changes) this.#changed.add(key);
    for (const { key } of one.transaction.checks) this.#compared.add(key);
  }
}
