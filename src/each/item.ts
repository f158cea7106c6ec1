/** How far an item is. */
export const Stage = { open: 0, handled: 1, sent: 2, committed: 3 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

/** Why an item failed. */
export interface Fault {
  readonly name: string;
  readonly message: string;
}

/** Marks an item whose value was given to a handler, which may have changed it: it is parsed anew. */
export const used: unique symbol = Symbol("used");

/** A record of the input on its way through a partition. */
export class Item {
  readonly id: number;
  readonly offset: number;
  readonly key: string | undefined;
  /** Undefined where it is not valid UTF-8, and once the item is committed. */
  text: string | undefined;
  value: unknown;
  /** Why it can be given to no handler. */
  fault: Fault | undefined;
  stage: Stage = Stage.open;
  /** How often its handler failed. */
  failures = 0;
  /** Runs of it that came before, and were lost together with their worker as far as anybody knows. */
  lost = 0;
  /** How often in a row it ran for nothing, because what it read was changed. */
  stale = 0;
  /** The next item of its key. */
  next: Item | undefined = undefined;

  constructor(
    id: number,
    offset: number,
    key: string | undefined,
    text: string | undefined,
    value: unknown,
    fault?: Fault,
  ) {
    this.id = id;
    this.offset = offset;
    this.key = key;
    this.text = text;
    this.value = value;
    this.fault = fault;
  }
}
