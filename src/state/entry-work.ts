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

/** The line of a key, for calls under that lease. */
export function placeOf<T>(
  { instance, host, turns }: StoreCore<T>,
  { key }: Key,
  lease: object | undefined,
  opened: Opened,
  protection: Protection | undefined,
): Place {
  const terms = { instance, running: host.running, opened, protection };
  return { turn: { space: turns, key }, mixed: false, with: lease ?? instance, terms };
}
