import type { Key } from "../base/keys.ts";
import type { Condition, Group, Operation, Payload, Ttl } from "../port/index.ts";
import type { Version } from "./entry.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

/*
 * Classes, and a copy of an array, where literals would do: when most of a burst of calls has survived a collection, V8
 * allocates what the same literals make among the old objects from then on, and each would keep its value until the
 * whole heap is collected.
 */

export class Put implements SetOperation {
  readonly op = "set";
  readonly key: Key;
  readonly id: Version;
  readonly value: Payload;
  readonly if: Condition | undefined;
  readonly ttl: Ttl | undefined;

  constructor(key: Key, id: Version, value: Payload, when: Condition | undefined, ttl: Ttl | undefined) {
    this.key = key;
    this.id = id;
    this.value = value;
    this.if = when;
    this.ttl = ttl;
  }
}

/** To be copied: `Array.of` takes a third of a microsecond. */
const oneOf = Array.from<Operation>({ length: 1 });

/** A group of one operation. */
export class Single implements Group {
  readonly ops: readonly Operation[];

  constructor(op: Operation) {
    const ops = oneOf.slice();
    ops[0] = op;
    this.ops = ops;
  }
}
