import { InvalidArgumentError, isHoldfastError, UnsupportedError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import { tagOf } from "../base/tags.ts";
import { gripOf, type Call, type Instance, type LeaseGrip } from "../client/index.ts";
import type { Group, Guard, Opened, Operation } from "../port/index.ts";

/** How long a floor is kept at least, in ms. */
const keepFloor = 86_400_000;

/**
 * How a lease guards what is written under it. Where lease and entry are of one store, by a guard: the lease is checked
 * with the write, atomically. Else by a floor: the entry remembers the highest fence that it was used under.
 */
export class Protection {
  readonly #grip: LeaseGrip;
  readonly #opened: Opened;
  readonly #byFloor: boolean;

  constructor(grip: LeaseGrip, opened: Opened, byFloor: boolean) {
    this.#grip = grip;
    this.#opened = opened;
    this.#byFloor = byFloor;
  }

  /** How many keys it adds to a group, at most: a floor is beside the key that it is of. */
  get keys(): number {
    return this.#byFloor ? 0 : this.#grip.locks.length;
  }

  /** The operations as a group under the lease; `keys` are those that it must cover. Guards and floors come first. */
  cover(ops: readonly Operation[], keys: readonly Key[]): Group {
    if (!this.#byFloor) return { guards: this.#guards(keys), ops };
    return { ops: [...keys.map((key) => this.#floor(key)), ...ops] };
  }

  /**
   * Sends a request that names the lease, if that is still held. A release of the lease waits until the request is
   * over. With `lasts` it takes effect later than its reply, when a transaction of the application ends: then the next
   * holder must ask the store for a grant of its own.
   */
  async send<R>(request: () => R | Promise<R>, lasts = false): Promise<R> {
    this.#grip.assertHeld();
    const settled = this.#grip.begin();
    let indeterminate = lasts;
    try {
      return await request();
    } catch (error) {
      indeterminate ||= isHoldfastError(error, "INDETERMINATE");
      throw error;
    } finally {
      settled(indeterminate);
    }
  }

  #guards(keys: readonly Key[]): readonly Guard[] {
    const { locks, owner, grant } = this.#grip;
    let near = locks;
    if (this.#opened.capabilities.transact === "slot") {
      const tags = new Set(keys.map(({ key }) => tagOf(key)));
      near = locks.filter(({ key }) => tags.has(tagOf(key)));
      if (near.length === 0) {
        throw new InvalidArgumentError("the lease must hold a key of the entry's own tag", { key: keys[0]?.key });
      }
    }
    return near.map((lock) => ({ lock, owner, grant }));
  }

  #floor(key: Key): Operation {
    const { lock, locks, grant, n } = this.#grip;
    const { name, service } = key.space;
    const own = lock === name && locks.some((one) => one.key === key.key && one.space.service === service);
    if (!own) {
      throw new InvalidArgumentError(
        "a lease of another server guards only the entry of its own service, name and key",
        { key: key.key },
      );
    }
    return { op: "floor", key, grant, n, keepMs: Math.max(keepFloor, Math.ceil(this.#grip.remainingMs())) };
  }
}

/**
 * How a lease guards a call on `instance`. Throws or rejects with InvalidArgumentError for a lease that cannot guard
 * there, FencedError for a lease that is over, UnsupportedError where the backend has no guarded writes.
 */
export function protectionOf(
  lease: unknown,
  instance: Instance,
  opened: Opened,
  call: Call,
): Protection | Promise<Protection> {
  const grip = gripOf(lease);
  const { guard } = opened.capabilities;
  if (guard === "none") {
    const { name } = instance.backend;
    throw new UnsupportedError(`${name} cannot guard a write by a lease`, { backend: name });
  }
  grip.assertHeld();
  if (grip.instance === instance) return new Protection(grip, opened, guard === "floor");
  return foreign(grip, opened, call);
}

async function foreign(grip: LeaseGrip, opened: Opened, call: Call): Promise<Protection> {
  const { instance } = grip;
  const { domain } = instance.known ?? (await instance.opened(call));
  if (domain === opened.domain) throw new InvalidArgumentError("a lease guards only in the instance that made it");
  return new Protection(grip, opened, true);
}
