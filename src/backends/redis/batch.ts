import type { ExecuteCall, Group, LockOperation, Operation, Outcome, Result } from "../../port/index.ts";
import type { Alarm, Due } from "../common/alarm.ts";
import { givenUp, notSent, refuse } from "../common/failures.ts";
import type { PendingCallers } from "../common/pending.ts";
import { looksFirst, readsOf, settleDoubts, withLook, type Doubt } from "./apart.ts";
import type { Learned } from "./decode.ts";
import type { Encoding } from "./encode.ts";
import { failedBy, late, limits, severalSlots } from "./outcomes.ts";
import type { Part } from "./parts.ts";
import type { Places } from "./places.ts";
import { Plan } from "./plan.ts";
import type { NamedStamp } from "./record.ts";
import { RedisFailure, type Router } from "./router.ts";

/** What batches of a session stand on. */
export interface BatchContext {
  readonly router: Router;
  readonly encoding: Encoding;
  readonly places: Places;
  /** Where those wait whose node is not there. */
  readonly pending: PendingCallers;
  /** A reply told of a lock. */
  learned(op: LockOperation, outcome: Outcome, passedMs: number): void;
}

/**
 * The groups of one call, on their way in as few commands as can be, all at once. Settles when all have replied, and at
 * the deadline at the latest, with what is known by then.
 */
export class Batch implements Learned, Due {
  readonly deadline: number;
  place: number | undefined;
  #groups: readonly Group[];
  readonly #call: ExecuteCall;
  readonly #settle: (outcomes: readonly Outcome[]) => void;
  readonly #alarm: Alarm<Batch>;
  /** A group that is on its way has none yet. */
  readonly #outcomes: (Outcome | undefined)[] = [];
  /** Groups that wait for their node, or for a look at their stamps: they were not sent. */
  readonly #unsent = new Set<number>();
  /** What was sent. */
  readonly #parts: Part[] = [];
  /** Of the reply that is being read. */
  #doubts: Doubt[] | undefined;
  #waitsFor = 0;
  /** Known when it is sent. */
  #context: BatchContext | undefined;
  #over = false;

  /**
   * `alarm` is to call {@link expire}. What keeps the process alive is the command that is pending, or the wait for a
   * connection.
   */
  constructor(
    alarm: Alarm<Batch>,
    groups: readonly Group[],
    call: ExecuteCall,
    settle: (outcomes: readonly Outcome[]) => void,
  ) {
    this.deadline = call.deadline;
    this.#alarm = alarm;
    this.#groups = groups;
    this.#call = call;
    this.#settle = settle;
    alarm.add(this);
  }

  /** Sends what is still wanted. */
  send(context: BatchContext): void {
    if (this.#over) return;
    this.#context = context;
    this.#waitsFor = 1;
    this.#dispatch(
      context,
      this.#groups.map((_, i) => i),
    );
    this.#done();
  }

  /** Its deadline has passed. */
  expire(): void {
    this.#end();
  }

  /** Nothing was sent, and nothing will be. */
  fail(error: Error): void {
    if (this.#over) return;
    for (let i = 0; i < this.#groups.length; i++) this.#outcomes[i] = notSent(error);
    this.#end();
  }

  lock(op: Operation, outcome: Outcome, passedMs: number): void {
    this.#context?.learned(op as LockOperation, outcome, passedMs);
  }

  stamped(member: number, results: Result[], place: number, stamps: readonly NamedStamp[]): void {
    (this.#doubts ??= []).push({ member, results, place, stamps });
  }

  /** Sorts groups into parts and sends these; on a cluster those whose node is not there wait for it. */
  #dispatch(context: BatchContext, members: readonly number[]): void {
    const { encoding, places } = context;
    const plan = new Plan(encoding, places);
    let absent: Map<number, number[]> | undefined;
    let looking: number[] | undefined;
    const refused: number[] = [];
    for (const i of members) {
      const group = this.#groups[i] as Group;
      const refusal = refuse(group, limits);
      const slot = refusal ? undefined : places.slotOfGroup(group);
      if (refusal) refused.push(this.#refuse(i, refusal));
      else if (slot === undefined) refused.push(this.#refuse(i, notSent(severalSlots())));
      else if (!places.isReady(slot)) {
        absent ??= new Map();
        const waiting = absent.get(slot);
        if (waiting) waiting.push(i);
        else absent.set(slot, [i]);
      } else if (encoding.stampsApart && looksFirst(group)) (looking ??= []).push(i);
      else if (this.#call.claim(i)) plan.add(group, i, slot);
      else refused.push(this.#refuse(i, givenUp(limits.backend)));
    }
    this.#waitsFor += plan.parts.length + (absent?.size ?? 0) + (looking ? 1 : 0);
    this.#tell(refused);
    for (const part of plan.parts) {
      this.#parts.push(part);
      void this.#exchange(part, context);
    }
    for (const [slot, waiting] of absent ?? []) void this.#await(slot, waiting, context);
    if (looking) void this.#lookFirst(looking, context);
  }

  /** Has stamps that are elsewhere looked at before the groups that ask for them are sent. */
  async #lookFirst(looking: readonly number[], context: BatchContext): Promise<void> {
    for (const i of looking) this.#unsent.add(i);
    const reads = looking.map((i) => readsOf(this.#groups[i] as Group));
    const call = { deadline: this.deadline, claim: () => true };
    const outcomes = await new Promise<readonly Outcome[]>((settle) => {
      new Batch(this.#alarm, reads, call, settle).send(context);
    });
    if (this.#over) return;
    const members: number[] = [];
    for (const [at, i] of looking.entries()) {
      const outcome = outcomes[at] as Outcome;
      this.#unsent.delete(i);
      if (outcome.ok) {
        this.#groups = this.#groups.with(i, withLook(this.#groups[i] as Group, outcome.results));
        members.push(i);
      } else this.#refuse(i, outcome.why === "failed" ? notSent(outcome.error) : outcome);
    }
    this.#tell(looking);
    this.#dispatch(context, members);
    this.#done();
  }

  async #await(slot: number, waiting: readonly number[], context: BatchContext): Promise<void> {
    const { places, pending } = context;
    const { admitted, leave } = pending.enter(waiting.length);
    const members = waiting.slice(0, admitted);
    this.#tell(waiting.slice(admitted).map((i) => this.#refuse(i, notSent(pending.full()))));
    for (const i of members) this.#unsent.add(i);
    try {
      if (admitted > 0) await places.ready(slot, this.#call.deadline);
      if (this.#over) return;
      for (const i of members) this.#unsent.delete(i);
      this.#dispatch(context, members);
    } catch (error) {
      this.#fail(members, failedBy(error));
    } finally {
      leave();
    }
    this.#done();
  }

  async #exchange(part: Part, context: BatchContext): Promise<void> {
    const { router } = context;
    try {
      let reply;
      try {
        reply = await router.send(part.route, part.key, part.command(false), part);
      } catch (error) {
        if (this.#over || !(error instanceof RedisFailure) || error.reply !== "NOSCRIPT") throw error;
        reply = await router.send(part.route, part.key, part.command(true), part);
      }
      if (!this.#over) {
        part.read(reply, this.#groups, this, this.#outcomes);
        const doubts = this.#doubts;
        this.#doubts = undefined;
        if (doubts) await this.#settleDoubts(doubts, context);
      }
    } catch (error) {
      this.#fail(part.members, failedBy(error));
    }
    this.#tell(part.members);
    this.#done();
  }

  #refuse(member: number, outcome: Outcome): number {
    this.#outcomes[member] = outcome;
    return member;
  }

  /** What is known need not wait for what is not. */
  #tell(members: readonly number[]): void {
    if (this.#waitsFor === 1 || this.#over) return;
    for (const i of members) {
      const outcome = this.#outcomes[i];
      if (outcome) this.#call.settled?.(i, outcome);
    }
  }

  /** One of those that it waits for is done. */
  #done(): void {
    if (--this.#waitsFor === 0 && !this.#over) this.#end();
  }

  async #settleDoubts(doubts: readonly Doubt[], { router, places }: BatchContext): Promise<void> {
    // A result whose stamps are not known to be current is none.
    const read = new Map<number, Outcome | undefined>();
    for (const { member } of doubts) {
      read.set(member, read.get(member) ?? this.#outcomes[member]);
      this.#outcomes[member] = undefined;
    }
    try {
      await settleDoubts(router, places, doubts);
      if (!this.#over) for (const [member, outcome] of read) this.#outcomes[member] = outcome;
    } catch (error) {
      this.#fail([...read.keys()], { ...failedBy(error), sent: true });
    }
  }

  /** What was given at the deadline stays as it is. */
  #fail(members: readonly number[], failed: Outcome): void {
    if (!this.#over) for (const i of members) this.#outcomes[i] = failed;
  }

  /** What a cluster has refused so far is not sent any more: it took no effect, and never will. */
  #giveUp(): void {
    for (const part of this.#parts) {
      part.givenUp = true;
      if (part.refused) for (const i of part.members) this.#outcomes[i] ??= late(false);
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#alarm.delete(this);
    if (this.#waitsFor > 0) this.#giveUp();
    this.#settle(
      this.#groups.map((_, i) => this.#outcomes[i] ?? late(this.#context !== undefined && !this.#unsent.has(i))),
    );
  }
}
