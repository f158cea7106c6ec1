import type { Key } from "../../base/keys.ts";
import type { Group } from "../../port/index.ts";
import type { Layout } from "./layout.ts";
import type { Router } from "./router.ts";

/** Slots of a cluster. */
const slots = 16_384;

/** What is atomic together: everything on one primary, the keys of a slot on a cluster. */
export class Places {
  readonly #router: Router;
  readonly #layout: Layout;
  readonly #isCluster: boolean;
  readonly #clock: string;
  /** Tags by the slot they are in, found as they are needed. */
  readonly #tags: string[] = [];
  #tried = 0;

  constructor(router: Router, layout: Layout) {
    this.#router = router;
    this.#layout = layout;
    this.#isCluster = router.topology === "cluster";
    this.#clock = layout.clock(undefined);
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

  /** The clock that grants of a slot are drawn from. */
  clock(slot: number): string {
    if (!this.#isCluster) return this.#clock;
    while (this.#tags[slot] === undefined && this.#tried < slots * 64) {
      const tag = (this.#tried++).toString(36);
      this.#tags[this.#router.slotOf(`{${tag}}`)] ??= tag;
    }
    return this.#layout.clock(this.#tags[slot] as string);
  }

  #slot(key: Key): number {
    return this.#router.slotOf(this.#layout.name(key));
  }
}
