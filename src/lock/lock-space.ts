import type { Space } from "../base/keys.ts";
import type { Capabilities } from "../port/index.ts";
import type { LockHost } from "./host.ts";
import type { Lease } from "./lease.ts";
import { LocalQueue } from "./local-queue.ts";
import type { Terms } from "./options.ts";
import { QueueSpaces, type Queues } from "./queues.ts";
import type { Refusal } from "./refusal.ts";
import type { LockRequest } from "./waiter.ts";

/** The locks of one space: leads a request to the local queue of its key. */
export class LockSpace {
  readonly host: LockHost;
  readonly space: Space;
  #queues: Queues;

  constructor(host: LockHost, space: Space) {
    this.host = host;
    this.space = space;
    this.#queues = QueueSpaces.of(host).in(space.id);
  }

  /** Waits for a lease on one lock. Gives a {@link Refusal} for a quiet request, else throws or rejects. */
  enter(key: string, request: LockRequest): Promise<Lease | Refusal> {
    this.admit(request.terms);
    const { capabilities } = this.host;
    if (!capabilities) return this.#enterFirst(key, request);
    if (this.#queues.gone) this.#queues = QueueSpaces.of(this.host).in(this.space.id);
    let queue = this.#queues.get(key);
    if (!queue) this.#queues.set(key, (queue = this.#make(key, capabilities)));
    return queue.enter(request);
  }

  /** Throws unless the call may begin. */
  admit(terms: Terms): void {
    this.host.instance.assertTaking();
    terms.signal?.throwIfAborted();
  }

  async #enterFirst(key: string, request: LockRequest): Promise<Lease | Refusal> {
    const { signal, timeoutMs } = request.terms;
    await this.host.learn({ signal, deadline: this.host.time.monotonic() + timeoutMs });
    return this.enter(key, request);
  }

  #make(key: string, capabilities: Capabilities): LocalQueue {
    // Shared leases are held side by side, and a store that excludes nobody must not seem to exclude.
    const handsOver = this.space.kind !== "shared" && capabilities.exclusion !== "none";
    return new LocalQueue(this.host, { space: this.space, key }, handsOver, this.#queues);
  }
}
