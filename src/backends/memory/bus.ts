import type { Key, Space } from "../../base/keys.ts";
import type { Signal } from "../../port/index.ts";

/** A subscription. One that was ended is told no more, also of what was under way. */
export interface Listening {
  readonly listener: (signal: Signal) => void;
  live: boolean;
}

interface ChangeListening extends Listening {
  readonly prefix: string;
}

/** Carries signals between the sessions of a server. Nothing is lost, so there is never a gap. */
export class Bus {
  readonly #changes = new Map<string, Set<ChangeListening>>();
  readonly #topics = new Map<string, Set<Listening>>();
  readonly #grants = new Map<string, Set<Listening>>();
  #due: { readonly to: Listening; readonly signal: Signal }[] = [];

  /** Listens for changes in a space; the returned function ends it. */
  onChange(space: Space, prefix: string, listener: (signal: Signal) => void): () => void {
    return join(this.#changes, space.id, { listener, live: true, prefix });
  }

  /** Listens to a topic; the returned function ends it. */
  onTopic(topic: string, listener: (signal: Signal) => void): () => void {
    return join(this.#topics, topic, { listener, live: true });
  }

  /** Listens for grants to waiters of a session; the returned function ends it. */
  onGrant(session: string, listener: (signal: Signal) => void): () => void {
    return join(this.#grants, session, { listener, live: true });
  }

  /** The lock was granted to `owner` of that session, who waited. */
  granted(session: string, lock: Key, owner: string, grant: number): void {
    for (const one of this.#grants.get(session) ?? []) this.#tell(one, { type: "granted", lock, owner, grant });
  }

  /** The record of `key` was written, deleted or has expired. */
  changed(space: Space, key: string): void {
    if (this.#changes.size === 0) return;
    const listening = this.#changes.get(space.id);
    if (!listening) return;
    for (const one of listening) {
      if (key.startsWith(one.prefix)) this.#tell(one, { type: "changed", key: { space, key } });
    }
  }

  /** A message to everybody who listens to the topic. */
  publish(topic: string, body: string): void {
    for (const one of this.#topics.get(topic) ?? []) this.#tell(one, { type: "message", body });
  }

  // Listeners run in a microtask of their own: never inside the group that they are told of, and one at a time.
  #tell(to: Listening, signal: Signal): void {
    this.#due.push({ to, signal });
    if (this.#due.length === 1) queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    const due = this.#due;
    let told = 0;
    try {
      while (told < due.length) {
        const { to, signal } = due[told++] as (typeof due)[number];
        if (to.live) to.listener(signal);
      }
    } finally {
      // A listener that threw has not silenced the others: its error is uncaught, the rest is told all the same.
      this.#due = due.slice(told);
      if (this.#due.length > 0) queueMicrotask(() => this.#deliver());
    }
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
