import type { Key, Space } from "../../base/keys.ts";
import type { Signal, Subscription } from "../../port/index.ts";
import { Delivery, type Listening } from "./delivery.ts";

type Listener = (signal: Signal) => void;

interface ChangeListening extends Listening {
  readonly prefix: string;
}

/** Carries signals between the sessions of a process. It loses none. */
export class Bus {
  readonly #changes = new Map<string, Set<ChangeListening>>();
  readonly #topics = new Map<string, Set<Listening>>();
  readonly #grants = new Map<string, Set<Listening>>();
  readonly #delivery = new Delivery();

  /** Listens for a session; the returned function ends it. */
  join(session: string, to: Subscription, listener: Listener): () => void {
    if ("changes" in to) return join(this.#changes, to.changes.id, { listener, live: true, prefix: to.prefix });
    if ("topic" in to) return join(this.#topics, to.topic, { listener, live: true });
    return join(this.#grants, session, { listener, live: true });
  }

  /** The lock was granted to `owner` of that session, who waited. */
  granted(session: string, lock: Key, owner: string, grant: number): void {
    const listening = this.#grants.get(session);
    if (!listening) return;
    for (const one of listening) this.#delivery.tell(one, { type: "granted", lock, owner, grant });
  }

  /** The record of `key` was written, deleted or has expired. */
  changed(space: Space, key: string): void {
    if (this.#changes.size === 0) return;
    const listening = this.#changes.get(space.id);
    if (!listening) return;
    for (const one of listening) {
      if (key.startsWith(one.prefix)) this.#delivery.tell(one, { type: "changed", key: { space, key } });
    }
  }

  /** A message to everybody who listens to the topic. */
  publish(topic: string, body: string): void {
    for (const one of this.#topics.get(topic) ?? []) this.#delivery.tell(one, { type: "message", body });
  }
}

function join<Item extends Listening>(map: Map<string, Set<Item>>, id: string, item: Item): () => void {
  let set = map.get(id);
  if (!set) map.set(id, (set = new Set()));
  set.add(item);
  return () => {
    item.live = false;
    set.delete(item);
    if (set.size === 0 && map.get(id) === set) map.delete(id);
  };
}
