import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import type { Call, OpenTransaction, TransactionFactory } from "../client/index.ts";

/** The transaction of a run, started when `tx` is first asked for. */
export class Writes<Tx> {
  opened: OpenTransaction<Tx> | undefined;
  readonly #factory: TransactionFactory<Tx> | undefined;
  readonly #commits: boolean;
  readonly #call: () => Call;

  /** `commits`: what the run writes is written by its `commit`. */
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

/** Throws UnsupportedError for a lock that has none. */
export function factoryOf<Tx>(factory: TransactionFactory<Tx> | undefined): TransactionFactory<Tx> {
  if (!factory) throw new UnsupportedError("this lock was made without a way to make transactions");
  return factory;
}
