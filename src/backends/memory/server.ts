import { drawId } from "../../base/ids.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Group, Outcome, Page, Query } from "../../port/index.ts";
import { Bus } from "../common/bus.ts";
import { decide } from "../common/decide.ts";
import { DueQueue } from "../common/due-queue.ts";
import { refuse } from "../common/failures.ts";
import { listsLocks } from "../common/pages.ts";
import { Floors, type Floor } from "./floors.ts";
import { Instant } from "./instant.ts";
import { limits } from "./limits.ts";
import { Locks, type LockRecord } from "./locks.ts";
import { Pages } from "./pages.ts";
import { Records, show, type Slot } from "./records.ts";
import { MemoryView } from "./view.ts";

/**
 * The data of Memory backends: what a server is to other backends. Several backends on one of these are several
 * clients. Its data lives as long as the object.
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
  readonly #floors: Floors;
  readonly #locks: Locks;
  readonly #view: MemoryView;
  readonly #pages = new Pages();
  /** Of what expires; they run while there is a client. */
  readonly #queues: readonly { pause(): void; resume(): void }[];
  #clients = 0;

  constructor(options: { readonly time?: Time | undefined } = {}) {
    const { time = systemTime } = options;
    this.time = time;
    this.#instant = new Instant(time);
    const wall = (): number => time.wall();
    const monotonic = (): number => time.monotonic();
    const ofRecords = new DueQueue<Slot>(time, wall, (slot, now) => this.#records.visit(slot, now));
    const ofLocks = new DueQueue<LockRecord>(time, monotonic, (lock, now) => {
      this.#instant.begin();
      this.#locks.visit(lock, now);
    });
    const ofFloors = new DueQueue<Floor>(time, monotonic, (floor, now) => this.#floors.visit(floor, now));
    this.#floors = new Floors(this.#instant, ofFloors);
    this.#records = new Records(this.#instant, this.bus, ofRecords);
    this.#locks = new Locks(this.#instant, this.bus, ofLocks);
    this.#view = new MemoryView(this.#instant, this.#records, this.#floors, this.#locks);
    this.#queues = [ofRecords, ofLocks, ofFloors];
  }

  /** A client came. @internal */
  attach(): void {
    if (this.#clients++ === 0) for (const queue of this.#queues) queue.resume();
  }

  /** A client went; whether it was the last one. @internal */
  detach(): boolean {
    if (--this.#clients > 0) return false;
    for (const queue of this.#queues) queue.pause();
    return true;
  }

  /** No grant of a lock is to be below `floor`. @internal */
  raiseGrants(floor: number): void {
    this.#locks.raiseGrants(floor);
  }

  /** If nothing is left in it, the floor of grants that another one in its place must begin with. @internal */
  emptyFloor(): number | undefined {
    this.#instant.begin();
    return this.#records.isEmpty() && this.#floors.isEmpty() ? this.#locks.idleFloor() : undefined;
  }

  /** Runs a group of a session at one instant. @internal */
  run(group: Group, session: string): Outcome {
    this.#instant.begin();
    return refuse(group, limits) ?? decide(this.#view, group, session);
  }

  /** A page of a space. Throws a HoldfastError. @internal */
  page(query: Query): Page {
    this.#instant.begin();
    if (listsLocks(query.space)) {
      return this.#pages.read(this.#locks.table.peek(query.space), query, (lock) =>
        this.#locks.isInUse(lock) ? { key: lock.key, id: "", value: "" } : undefined,
      );
    }
    const now = this.#instant.wall;
    const as = { keyOnly: query.keysOnly, stamped: "show" } as const;
    return this.#pages.read(this.#records.table.peek(query.space), query, (slot) =>
      slot.until > now ? show(slot, as) : undefined,
    );
  }
}
