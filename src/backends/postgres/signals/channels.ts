import { createHash } from "node:crypto";
import { spaceOfId, type Space } from "../../../base/keys.ts";
import type { Subscription } from "../../../port/index.ts";

/**
 * What a subscription of a session is called here: no two share a name, and it says what it is of. At the server it is
 * a channel, whose name is short.
 */
export function nameOf(session: string, to: Subscription): string {
  if ("topic" in to) return topicName(to.topic);
  if ("changes" in to) return `c${to.changes.id}`;
  return grantsName(session);
}

export function grantsName(session: string): string {
  return `g${session}`;
}

export function topicName(topic: string): string {
  return `t${topic}`;
}

/** The space whose changes the name stands for. */
export function watchedBy(name: string): Space | undefined {
  return name.startsWith("c") ? spaceOfId(name.slice(1)) : undefined;
}

/**
 * Channels of one store: hashes, for a channel has at most 63 bytes, and all users of a database share its channels.
 * `store` differs wherever stores do.
 */
export class Channels {
  readonly #store: string;

  constructor(store: string) {
    this.#store = store;
  }

  of(name: string): string {
    const hash = createHash("sha256").update(this.#store).update("\0").update(name).digest("hex");
    return `hf_${hash.slice(0, 40)}`;
  }
}
