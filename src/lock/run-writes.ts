import { UnsupportedError } from "../base/errors.ts";
import type { Call, OpenTransaction, TransactionFactory } from "../client/index.ts";

/** The transaction of a run, started when `tx` is first asked for. */
export class Writes<Tx> {
  opened: OpenTransaction<Tx> | undefined;
  readonly #factory: TransactionFactory<Tx> | undefined;
  readonly #call: () => Call;

  constructor(factory: TransactionFactory<Tx> | undefined, call: () => Call) {
    this.#factory = factory;
    this.#call = call;
  }

  get tx(): Tx {
    if (!this.#factory) throw new UnsupportedError("this lock was made without a way to make transactions");
    return (this.opened ??= this.#factory.begin(this.#call)).tx;
  }
}
