import type { Key } from "../../base/keys.ts";
import type { Group } from "../../port/index.ts";
import type { Layout } from "./layout.ts";
import type { Router } from "./router.ts";

/** What is atomic together: everything on one primary, the keys of a slot on a cluster. */
export class Places {
  readonly #router: Router;
  readonly #layout: Layout;
  readonly #isCluster: boolean;
  /** By slot: found by trying one tag after the other, as they are needed. */
  readonly #clocks: string[] = [];
  #tried = 0;

  constructor(router: Router, layout: Layout) {
    this.#router = router;
    this.#layout = layout;
    this.#isCluster = router.topology === "cluster";
    if (!this.#isCluster) this.#clocks[0] = layout.clock(undefined);
  }

  /** The slot of a physical key; 0 where there are none. */
  slotOf(name: string): number {
    return this.#isCluster ? this.#router.slotOf(name) : 0;
  }

  /** The slot of all keys of a group; undefined if they are in several. */
  slotOfGroup({ guards, ops }: Group): number | undefined {
    if (!this.#isCluster) return 0;
    let slot: number | undefined;
    for (const op of ops) {
      const its = this.#slot("key" in op ? op.key : op.lock);
      if ((slot ??= its) !== its) return undefined;
    }
    for (const { lock } of guards ?? []) {
      const its = this.#slot(lock);
      if ((slot ??= its) !== its) return undefined;
    }
    return slot ?? 0;
  }

  /** The key of the clock that grants of a slot are drawn from. */
  clock(slot: number): string {
    for (; this.#clocks[slot] === undefined; this.#tried++) {
      const name = this.#layout.clock(this.#tried.toString(36));
      this.#clocks[this.#router.slotOf(name)] ??= name;
    }
    return this.#clocks[slot];
  }

  /** Whether commands for keys of the slot can be sent now. */
  isReady(slot: number): boolean {
    return !this.#isCluster || this.#router.isReady("commands", this.clock(slot));
  }

  /** Resolves when {@link isReady}. Rejects with a HoldfastError. */
  ready(slot: number, deadline: number): Promise<void> {
    return this.#router.ready(deadline, this.#isCluster ? this.clock(slot) : undefined);
  }

  #slot(key: Key): number {
    return this.#router.slotOf(this.#layout.name(key));
  }
}
