import type { Key } from "../base/keys.ts";
import type { Call } from "../client/index.ts";
import type { Opened } from "../port/index.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import type { Place } from "./line.ts";
import type { Protection } from "./protection.ts";
import type { Work } from "./task.ts";
import type { View } from "./view.ts";

/** What changes one entry, in the line of its key. */
export abstract class EntryWork<T> implements Work<Entry<T> | undefined> {
  protected readonly core: StoreCore<T>;
  protected readonly at: Key;
  protected readonly call: Call;
  readonly #protection: Protection | undefined;

  constructor(core: StoreCore<T>, at: Key, protection: Protection | undefined, call: Call) {
    this.core = core;
    this.at = at;
    this.call = call;
    this.#protection = protection;
  }

  get key(): string {
    return this.at.key;
  }

  prepare(view: View): void | Promise<void> {
    return this.core.show(view, this.at, this.call, this.#protection);
  }

  abstract play(view: View): Entry<T> | undefined | Promise<Entry<T> | undefined>;
}

/** A call on one entry that has begun. */
export interface Begun<T> {
  readonly core: StoreCore<T>;
  readonly at: Key;
  readonly lease: object | undefined;
  readonly call: Call;
  readonly opened: Opened;
  readonly protection: Protection | undefined;
}

/** Does the work of calls. */
export interface Runner<T> {
  run(work: EntryWork<T>, begun: Begun<T>): Promise<Entry<T> | undefined>;
}

/** In the line of its key, with others that change it. */
export const inLine = {
  run: <T>(work: EntryWork<T>, begun: Begun<T>): Promise<Entry<T> | undefined> =>
    begun.core.host.lines.enter(placeOf(begun), work, begun.call),
};

/** The line of a key, for calls under that lease. */
function placeOf<T>({ core, at, lease, opened, protection }: Begun<T>): Place {
  const { instance, host, turns } = core;
  const terms = { instance, running: host.running, opened, protection };
  return { turn: { space: turns, key: at.key }, mixed: false, with: lease ?? instance, terms };
}
