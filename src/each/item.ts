import type { Format } from "./input/formats.ts";

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

/** An item of the input on its way through a partition. */
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
  /** Attempts that came before, and were lost together with their worker as far as anybody knows. */
  lost = 0;
  /** How often in a row it ran for nothing, because what it read was changed. */
  stale = 0;
  /** The next item of its key. */
  next: Item | undefined = undefined;

  constructor(id: number, offset: number, key?: string, text?: string, value?: unknown, fault?: Fault) {
    this.id = id;
    this.offset = offset;
    this.key = key;
    this.text = text;
    this.value = value;
    this.fault = fault;
  }

  /** The value, for a handler, which may change it: from the second time on it is parsed anew. */
  hand(format: Format): unknown {
    const { value } = this;
    this.value = used;
    if (value !== used) return value;
    const parsed = format.parse(this.text);
    return parsed.ok ? parsed.item : undefined;
  }
}

/** What of an error is kept: no stack, and a bounded text. Anything can be thrown, also what has no text. */
export function faultOf(error: unknown): Fault {
  try {
    if (error instanceof Error) {
      const { name, message } = error as { readonly name: unknown; readonly message: unknown };
      return { name: String(name).slice(0, 100), message: String(message).slice(0, 1000) };
    }
    return { name: "Error", message: String(error).slice(0, 1000) };
  } catch {
    return { name: "Error", message: "something was thrown that has no text" };
  }
}
