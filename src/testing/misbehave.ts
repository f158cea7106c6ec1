import type { Backend, ExecuteCall, Group, Operation, Outcome, Page, Session, Signal, Signals } from "../port/index.ts";

/** Runs a group on the backend that is made to misbehave. */
export type Next = (group: Group) => Promise<Outcome>;

/**
 * Something that a backend does wrong. One object is shared by all backends of a place, so it may remember what it did;
 * make a fresh one for each place.
 */
export interface Fault {
  readonly name: string;
  /** Changes an operation on its way to the backend. */
  operation?(op: Operation): Operation;
  /** Runs a group in place of `next`. */
  group?(group: Group, next: Next): Promise<Outcome>;
  /** Changes the outcomes of a call. */
  outcomes?(outcomes: readonly Outcome[]): readonly Outcome[];
  /** Whether to tell a signal. */
  tells?(signal: Signal): boolean;
  /** Changes a page. */
  page?(page: Page): Page;
  /** Whether groups are sent although their callers are gone. */
  readonly ignoresClaims?: boolean;
}

/**
 * `backend` with a fault: what a test suite that is worth something must notice. The port suite fails on every fault of
 * `faults`; use it to prove the same of tests of your own.
 */
export function misbehavingBackend(backend: Backend, fault: Fault): Backend {
  return {
    name: backend.name,
    time: backend.time,
    open: async () => backend.open(),
    session: () => new MisbehavingSession(backend.session(), fault),
    close: async () => backend.close(),
  };
}

class MisbehavingSession implements Session {
  readonly id: string;
  readonly signals?: Signals;
  readonly #session: Session;
  readonly #fault: Fault;

  constructor(session: Session, fault: Fault) {
    this.id = session.id;
    this.#session = session;
    this.#fault = fault;
    const { signals } = session;
    if (!signals) return;
    this.signals = {
      subscribe: async (to, listener) =>
        signals.subscribe(to, (signal) => {
          if (!fault.tells || fault.tells(signal)) listener(signal);
        }),
      publish: async (topic, body) => signals.publish(topic, body),
    };
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    const outcomes = await Promise.all(
      groups.map(async (group, i) => {
        const outcome = await this.#one(group, i, call);
        // A group that is held up does not hold up its neighbours.
        if (!this.#fault.outcomes) call.settled?.(i, outcome);
        return outcome;
      }),
    );
    return this.#fault.outcomes?.(outcomes) ?? outcomes;
  }

  async page(...args: Parameters<Session["page"]>): Promise<Page> {
    const page = await this.#session.page(...args);
    return this.#fault.page?.(page) ?? page;
  }

  async close(): Promise<void> {
    return this.#session.close();
  }

  async #one(group: Group, i: number, call: ExecuteCall): Promise<Outcome> {
    const claimed = call.claim(i) || this.#fault.ignoresClaims === true;
    const next: Next = async (changed) =>
      (await this.#session.execute([changed], { deadline: call.deadline, claim: () => claimed }))[0] as Outcome;
    const fault = this.#fault;
    const changed = { ...group, ops: group.ops.map((op) => fault.operation?.(op) ?? op) };
    return claimed && fault.group ? fault.group(changed, next) : next(changed);
  }
}
