import type { Key } from "../base/keys.ts";
import { executeWrite, type Call, type Instance } from "../client/index.ts";
import type { Operation, StoredRecord } from "../port/index.ts";
import { CACHE_STAMP, EPOCH_STAMP, outlasts, tagStamp, type StampRecords } from "./stamps.ts";
import { canSweep, type Sweeper } from "./sweeper.ts";

type Renewal = Operation & { readonly key: Key };

/** Gives stamps a new version, which ends what bears the old one; what would not end by itself is swept. */
export class Renewals {
  readonly #instance: Instance;
  readonly #stamps: StampRecords;
  readonly #sweeper: Sweeper;

  constructor(instance: Instance, stamps: StampRecords, sweeper: Sweeper) {
    this.#instance = instance;
    this.#stamps = stamps;
    this.#sweeper = sweeper;
  }

  async tags(tags: readonly string[], call: Call): Promise<void> {
    const renewals = this.#stamps.renewals([EPOCH_STAMP, ...tags.map(tagStamp)]);
    const { transact, maxGroup } = (this.#instance.known ?? (await this.#instance.opened(call))).capabilities;
    if (transact !== "full") {
      await Promise.all(renewals.map(async (renewal) => this.#renew([renewal], call)));
      return;
    }
    // The epoch is in the first group: a load that reads a tag's new version finds the epoch changed as well.
    for (let i = 0; i < renewals.length; i += maxGroup) await this.#renew(renewals.slice(i, i + maxGroup), call);
  }

  async cache(call: Call): Promise<void> {
    await this.#renew(this.#stamps.renewals([CACHE_STAMP]), call);
  }

  async #renew(renewals: readonly Renewal[], call: Call): Promise<void> {
    const { capabilities } = this.#instance.known ?? (await this.#instance.opened(call));
    const before = canSweep(capabilities) ? renewals.map(({ key }): Operation => ({ op: "get", key })) : [];
    const reply = await executeWrite(this.#instance, { ops: [...before, ...renewals] }, call);
    const wall = this.#instance.time.wall();
    const old = reply.ok ? reply.results.slice(0, before.length) : [];
    if (old.some((stamp) => outlasts(stamp as StoredRecord | undefined, wall))) this.#sweeper.due();
  }
}
