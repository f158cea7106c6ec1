import type { Group } from "../../port/index.ts";
import type { Encoding } from "./encode.ts";
import { Reads, Scripted, Writes, type Part } from "./parts.ts";
import type { Places } from "./places.ts";

const reads = 0;
const writes = 1;
const scripted = 2;
const renewals = 3;

/** Sorts the groups of a batch into as few commands as can be. */
export class Plan {
  readonly parts: Part[] = [];
  readonly #encoding: Encoding;
  readonly #places: Places;
  /** What can still be added to, by its slot and kind. */
  readonly #open = new Map<number, Part>();

  constructor(encoding: Encoding, places: Places) {
    this.#encoding = encoding;
    this.#places = places;
  }

  /** Adds the group at place `i` of the batch, whose keys are in `slot`. */
  add(group: Group, i: number, slot: number): void {
    const { layout, stampsApart } = this.#encoding;
    const { guards, ops } = group;
    const op = ops[0];
    if (op !== undefined && ops.length === 1 && (guards === undefined || guards.length === 0)) {
      if (op.op === "get" && !op.keyOnly && (!op.stamped || stampsApart)) {
        const name = layout.name(op.key);
        this.#reads(slot, name).add(i, name);
        return;
      }
      if (op.op === "set" && op.if === undefined && op.ttl === undefined && !op.stamps?.length) {
        const name = layout.name(op.key);
        this.#writes(slot, name).add(i, name, op);
        return;
      }
    }
    this.#scripted(slot, keepsLeases(group)).add(i, group);
  }

  #reads(slot: number, key: string): Reads {
    const open = this.#open.get(slot * 4 + reads) as Reads | undefined;
    return open && !open.full ? open : this.#begin(slot * 4 + reads, new Reads(key, this.#encoding));
  }

  #writes(slot: number, key: string): Writes {
    const open = this.#open.get(slot * 4 + writes) as Writes | undefined;
    return open && !open.full ? open : this.#begin(slot * 4 + writes, new Writes(key, this.#encoding));
  }

  #scripted(slot: number, renews: boolean): Scripted {
    const kind = slot * 4 + (renews ? renewals : scripted);
    const open = this.#open.get(kind) as Scripted | undefined;
    if (open && !open.full) return open;
    return this.#begin(kind, new Scripted(this.#places.clock(slot), renews ? "renewals" : "commands", this.#encoding));
  }

  #begin<Kind extends Part>(kind: number, part: Kind): Kind {
    this.#open.set(kind, part);
    this.parts.push(part);
    return part;
  }
}

/**
 * Whether a group keeps leases alive, so that it must wait behind no large value: extensions, and the acquire under its
 * own guard that tells the store anew who holds.
 */
function keepsLeases({ guards, ops }: Group): boolean {
  if (ops.every(({ op }) => op === "extend")) return true;
  const [op] = ops;
  return ops.length === 1 && op?.op === "acquire" && guards?.length === 1 && guards[0]?.owner === op.owner;
}
