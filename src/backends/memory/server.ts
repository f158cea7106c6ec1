import { InvalidArgumentError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { utf8Length } from "../../base/keys.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Group, Operation, Outcome, Page, Payload, Query, Result } from "../../port/index.ts";
import { Bus } from "./bus.ts";
import { DueQueue } from "./due-queue.ts";
import { Floors, type Floor } from "./floors.ts";
import { Instant } from "./instant.ts";
import { capabilities } from "./limits.ts";
import { Locks, type LockRecord } from "./locks.ts";
import { Pages } from "./pages.ts";
import { list, Records, type Slot } from "./records.ts";

/**
 * The data of Memory backends: what a server is to other backends. Several backends on one of these are several clients.
 * Its data lives as long as the object.
 */
export class MemoryServer {
  /** Names the data; see the port. */
  readonly domain: string = drawId();
  /** The server's clock: records end by its wall clock, leases by its monotonic one. */
  readonly time: Time;
  /** @internal */
  readonly bus = new Bus();
  readonly #instant: Instant;
  readonly #records: Records;
  readonly #locks: Locks;
  readonly #floors: Floors;
  readonly #pages = new Pages();
  readonly #recordQueue: DueQueue<Slot>;
  readonly #lockQueue: DueQueue<LockRecord>;
  readonly #floorQueue: DueQueue<Floor>;
  #clients = 0;

  constructor(options: { readonly time?: Time | undefined } = {}) {
    const time = options.time ?? systemTime;
    this.time = time;
    this.#instant = new Instant(time);
    this.#recordQueue = new DueQueue(
      time,
      () => time.wall(),
      (slot, now) => this.#records.visit(slot, now),
    );
    this.#lockQueue = new DueQueue(
      time,
      () => time.monotonic(),
      (lock, now) => {
        this.#instant.begin();
        this.#locks.visit(lock, now);
      },
    );
    this.#floorQueue = new DueQueue(
      time,
      () => time.monotonic(),
      (floor, now) => this.#floors.visit(floor, now),
    );
    this.#records = new Records(this.#instant, this.bus, this.#recordQueue);
    this.#locks = new Locks(this.#instant, this.bus, this.#lockQueue);
    this.#floors = new Floors(this.#floorQueue);
  }

  /** A client came: what expires is swept while there is one. @internal */
  attach(): void {
    if (this.#clients++ === 0) for (const queue of this.#queues()) queue.resume();
  }

  /** A client went. @internal */
  detach(): void {
    if (--this.#clients === 0) for (const queue of this.#queues()) queue.pause();
  }

  /** Runs a group of a session at one instant: checks everything, then writes. @internal */
  run(group: Group, session: string): Outcome {
    const { guards, ops } = group;
    this.#instant.begin();
    if (ops.length > capabilities.maxGroup) return tooMany(ops.length);
    if (guards !== undefined) {
      for (let i = 0; i < guards.length; i++) {
        if (!this.#locks.guards(guards[i] as NonNullable<(typeof guards)[0]>)) {
          return { ok: false, why: "fenced", at: -1 - i };
        }
      }
    }
    const results: Result[] = [];
    for (let i = 0; i < ops.length; i++) {
      const refusal = this.#check(ops[i] as Operation, i, ops.length, results, session);
      if (refusal !== undefined) return refusal;
    }
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i] as Operation;
      if (op.op !== "get" && op.op !== "check" && op.op !== "inspect") results[i] = this.#apply(op);
    }
    return { ok: true, results };
  }

  /** A page of a space. Throws a HoldfastError. @internal */
  page(query: Query): Page {
    this.#instant.begin();
    const { kind } = query.space;
    if (kind === "lock" || kind === "shared" || kind === "once") {
      const now = this.#instant.monotonic;
      return this.#pages.read(this.#locks.table.peek(query.space), query, (lock) =>
        this.#locks.isInUse(lock, now) ? { key: lock.key, id: "", value: "" } : undefined,
      );
    }
    const now = this.#instant.wall;
    return this.#pages.read(this.#records.table.peek(query.space), query, (slot) =>
      slot.until > now ? list(slot, query.keysOnly) : undefined,
    );
  }

  /** Pushes the result of a read, and a place for that of a write; gives why the group is refused. */
  #check(op: Operation, at: number, count: number, results: Result[], session: string): Outcome | undefined {
    let result: Result;
    switch (op.op) {
      case "get":
        result = this.#records.get(op);
        break;
      case "set":
        if (isTooLarge(op.value)) return tooLarge();
        if (op.if !== undefined && !this.#records.holds(op.key, op.if)) return this.#conflict(op, at);
        break;
      case "check":
      case "touch":
      case "delete":
        if (op.if !== undefined && !this.#records.holds(op.key, op.if)) return this.#conflict(op, at);
        break;
      case "floor":
        if (!this.#floors.admits(op, this.#instant.monotonic)) return { ok: false, why: "fenced", at };
        break;
      case "acquire": {
        if (op.wait !== undefined && count > 1) return waitsInGroup();
        const refusal = this.#locks.refuseAcquire(op, at, session);
        if (refusal !== undefined) return refusal;
        break;
      }
      case "extend":
        if (!this.#locks.canExtend(op)) return { ok: false, why: "fenced", at };
        break;
      case "inspect":
        result = this.#locks.inspect(op.lock);
        break;
      case "release":
      case "steal":
        break;
    }
    results.push(result);
    return undefined;
  }

  #apply(op: Exclude<Operation, { op: "get" | "check" | "inspect" }>): Result {
    let result: Result;
    switch (op.op) {
      case "set":
        this.#records.write(op);
        break;
      case "touch":
        result = this.#records.touch(op);
        break;
      case "delete":
        result = this.#records.delete(op);
        break;
      case "floor":
        this.#floors.raise(op, this.#instant.monotonic);
        break;
      case "acquire":
        result = this.#locks.acquire(op);
        break;
      case "extend":
        result = this.#locks.extend(op);
        break;
      case "release":
        result = this.#locks.release(op);
        break;
      case "steal":
        result = this.#locks.steal(op);
        break;
    }
    return result;
  }

  #conflict(op: Extract<Operation, { op: "check" | "set" | "touch" | "delete" }>, at: number): Outcome {
    return { ok: false, why: "conflict", at, current: this.#records.read(op.key) };
  }

  #queues(): readonly { pause(): void; resume(): void }[] {
    return [this.#recordQueue, this.#lockQueue, this.#floorQueue];
  }
}

/** Whether the value has more bytes than allowed: counted only where its length leaves that open. */
function isTooLarge(value: Payload): boolean {
  if (value.length * 3 <= capabilities.maxValue) return false;
  return (typeof value === "string" ? utf8Length(value) : value.byteLength) > capabilities.maxValue;
}

function refused(message: string): Outcome {
  return { ok: false, why: "failed", sent: false, error: new InvalidArgumentError(message, { backend: "memory" }) };
}

function tooLarge(): Outcome {
  return refused(`the value is larger than ${capabilities.maxValue} bytes`);
}

function tooMany(count: number): Outcome {
  return refused(`a group has at most ${capabilities.maxGroup} operations, got ${count}`);
}

function waitsInGroup(): Outcome {
  return refused("an acquire that waits must be the only operation of its group");
}
