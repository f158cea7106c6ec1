import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import type { Call, OpenTransaction, TransactionFactory } from "../client/index.ts";

/** The transaction of a run. It starts when `tx` is first used. */
export class Writes<Tx> {
  opened: OpenTransaction<Tx> | undefined;
  readonly #factory: TransactionFactory<Tx> | undefined;
  readonly #commits: boolean;
  readonly #call: () => Call;

  /** `commits`: the run writes in its `commit`, and has no `tx`. */
  constructor(factory: TransactionFactory<Tx> | undefined, commits: boolean, call: () => Call) {
    this.#factory = factory;
    this.#commits = commits;
    this.#call = call;
  }

  get tx(): Tx {
    if (this.#commits) throw new InvalidArgumentError("a run with commit writes there: its fn has no tx");
    return (this.opened ??= factoryOf(this.#factory).begin(this.#call)).tx;
  }
}

/** The factory. Throws UnsupportedError for a lock without one. */
export function factoryOf<Tx>(factory: TransactionFactory<Tx> | undefined): TransactionFactory<Tx> {
  if (!factory) throw new UnsupportedError("this lock was made without a way to make transactions");
  return factory;
}
