import { ConflictError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import { OwnCalls, type Call, type CallOptions } from "../client/index.ts";
import type { Operation, OwnConnection, Result, StoredRecord } from "../port/index.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import type { Begun, EntryWork, Runner } from "./entry-work.ts";
import type { LeaseLike, LeaseOption } from "./options.ts";
import type { Protection } from "./protection.ts";
import { View } from "./view.ts";

/** What an `OwnStateStore` sends: one group a call, on the connection of the application. */
export class OwnWork<T> implements Runner<T> {
  readonly #core: StoreCore<T>;
  readonly #calls: OwnCalls;

  /** Throws as `StateStore.within` does. */
  constructor(core: StoreCore<T>, connection: OwnConnection) {
    this.#core = core;
    this.#calls = new OwnCalls(core.instance, connection);
  }

  async begin(rawKey: string, options: (CallOptions & LeaseOption) | undefined): Promise<Begun<T>> {
    const core = this.#core;
    const call = core.instance.call(options);
    const at = core.at(rawKey);
    const opened = core.host.known ?? (await core.host.ready(call));
    const lease = options?.lease;
    return { core, at, lease, call, opened, protection: await core.protection(lease, opened, call) };
  }

  async read(at: Key, call: Call, protection?: Protection): Promise<StoredRecord | undefined> {
    return (await this.send({ op: "get", key: at }, call, protection)) as StoredRecord | undefined;
  }

  /** The result of an operation. Throws ConflictError and FencedError. */
  async send(op: Operation & { readonly key: Key }, call: Call, protection?: Protection): Promise<Result> {
    return this.#core.passed(await this.#execute([op], [op.key], call, protection), op.key.key);
  }

  /** As `OwnStateStore.check`. */
  check(lease: LeaseLike, call: Call): Promise<void> {
    return this.#calls.check(lease, call);
  }

  /** Reads, lets the work decide, and writes on the condition that nothing has changed; again after a conflict. */
  async run(work: EntryWork<T>, { at, call, protection }: Begun<T>): Promise<Entry<T> | undefined> {
    const { instance, host } = this.#core;
    const view = new View();
    view.found(at, await this.read(at, call));
    for (let tries = 1; ; tries++) {
      host.running.assertLive();
      const result = await work.play(view);
      // A record that was only read is what it was at that moment, where no lease has to be checked.
      if (!protection && view.plain) return result;
      const { ops, covered } = view.operations();
      const reply = await this.#execute(ops, covered, call, protection);
      if (reply.ok) return result;
      if (reply.why !== "conflict") throw this.#core.fenced(at.key);
      if (instance.time.monotonic() >= call.deadline) {
        const context = { backend: instance.backend.name, key: at.key, tries };
        throw new ConflictError("the entry was changed by another time and again: nothing was written", context);
      }
      // It is locked now, so the next try finds it as it is.
      view.changed(at, reply.current);
    }
  }

  #execute(
    ops: readonly Operation[],
    covered: readonly Key[],
    call: Call,
    protection: Protection | undefined,
  ): ReturnType<OwnCalls["execute"]> {
    if (!protection) return this.#calls.execute({ ops }, call);
    return protection.send(() => this.#calls.execute(protection.cover(ops, covered), call), true);
  }
}
