import { isSameKey, keyId, spaceOfId, type Key } from "../../base/keys.ts";
import type { Time } from "../../base/time.ts";
import { nextTurn } from "../common/lock-rules.ts";
import { Passing } from "../common/passing.ts";
import type { News } from "./row-view.ts";

/**
 * How long after its time a lock is looked at, in ms: those who wait for it in several processes do so one after the
 * other, and whoever asks for it anyway comes first.
 */
const [soonest, latest] = [5, 35];

/**
 * No server passes a lock on by itself when a hold ends, or the claim of the first who waits. Who waits looks by then,
 * which passes it on; so does who passed it on, for that one may be dead. One look for all sessions of a backend.
 */
export class LockPassing {
  readonly #passing: Passing;
  readonly #isOwn: (session: string) => boolean;

  /** `isOwn` tells sessions of this backend. `look` asks for the state of locks; what that finds is {@link learned}. */
  constructor(time: Time, isOwn: (session: string) => boolean, look: (locks: readonly Key[]) => void) {
    this.#isOwn = isOwn;
    this.#passing = new Passing(time, (ids) => look(ids.flatMap(keyFrom)));
  }

  /** What became known of locks. Where a look has failed, those who wait ask again, and that plans the next one. */
  learned({ locks, granted, now }: News): void {
    for (const { key, lock } of locks) {
      const { queue } = lock;
      const isOurs =
        queue.length > 0 &&
        (queue.some(({ session }) => this.#isOwn(session)) || granted.some((one) => isSameKey(one.lock, key)));
      if (isOurs) this.#passing.plan(keyId(key), nextTurn(lock) - now + soonest + Math.random() * (latest - soonest));
      else if (this.#passing.size > 0) this.#passing.forget(keyId(key));
    }
  }

  close(): void {
    this.#passing.clear();
  }
}

function keyFrom(id: string): readonly Key[] {
  const space = spaceOfId(id);
  return space ? [{ space, key: id.slice(space.id.length) }] : [];
}
