import { refuseForgotten, refuseUnknown } from "../client/index.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import { EntryWork, inLine, type Runner } from "./entry-work.ts";
import type { TakeOptions } from "./options.ts";
import type { View } from "./view.ts";

/**
 * Reads an entry, and deletes it on the condition that it has not changed. It is read first, because an entry that this
 * code cannot read is not deleted. If the reply is lost, the delete can be sent again, for a version is never there
 * twice. `runner`: where that goes on, if not in the line of the key.
 */
export async function take<T>(
  core: StoreCore<T>,
  rawKey: string,
  options: TakeOptions | undefined,
  runner: Runner<T> = inLine,
): Promise<Entry<T> | undefined> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  const { instance, host } = core;
  const call = instance.call(options);
  const key = core.at(rawKey);
  const opened = host.known ?? (await host.ready(call));
  const protecting = core.protection(options?.lease, opened, call);
  const protection = protecting instanceof Promise ? await protecting : protecting;
  const taking = new Taking(core, key, protection, call);
  return runner.run(taking, { core, lease: options?.lease, call, at: key, opened, protection });
}

/** Takes one entry. */
class Taking<T> extends EntryWork<T> {
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
