import { refuseForgotten, refuseUnknown } from "../client/index.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import { EntryWork, placeOf } from "./entry-work.ts";
import type { TakeOptions } from "./options.ts";
import type { View } from "./view.ts";

/**
 * Reads an entry, and deletes it on the condition that it has not changed. It is read first, because an entry that this
 * code cannot read is not deleted. If the reply is lost, the delete can be sent again, for a version is never there
 * twice.
 */
export async function take<T>(
  core: StoreCore<T>,
  rawKey: string,
  options: TakeOptions | undefined,
): Promise<Entry<T> | undefined> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  const { instance, host } = core;
  const call = instance.call(options);
  const key = core.at(rawKey);
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const place = placeOf(core, key, options?.lease, opened, protection);
  return host.lines.enter(place, new Taking(core, key, protection, call), call);
}

/** Takes one entry, in the line of its key. */
export class Taking<T> extends EntryWork<T> {
  play(view: View): Entry<T> | undefined | Promise<Entry<T> | undefined> {
    const record = view.look(this.at);
    if (!record) return undefined;
    const reading = this.core.entry(record, this.call);
    return reading instanceof Promise ? reading.then((entry) => this.#taken(view, entry)) : this.#taken(view, reading);
  }

  #taken(view: View, entry: Entry<T>): Entry<T> {
    view.put(this.core, this.at, null, undefined);
    return entry;
  }
}
