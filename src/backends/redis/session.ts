import type { Key } from "../../base/keys.ts";
import { drawId } from "../../base/ids.ts";
import type { ExecuteCall, Group, Outcome, Page, Query, Session, Signals } from "../../port/index.ts";
import { closedError, notSent } from "../common/failures.ts";
import { Batch, type BatchContext } from "./batch.ts";
import type { Shared } from "./shared.ts";
import { BACKEND } from "./connections/failures.ts";
import { readPage } from "./pages.ts";
import { before } from "./signals/before.ts";
import { Passing } from "./passing.ts";

/** How long a look at a lock may take, in ms. */
const lookTimeout = 5_000;

/** An instance on a Redis backend. */
export class RedisSession implements Session {
  readonly id: string = drawId();
  readonly signals: Signals;
  readonly #shared: Shared;
  readonly #passing: Passing;
  readonly #onClose: (session: RedisSession) => void;
  #context: BatchContext | undefined;
  #closed = false;

  constructor(shared: Shared, onClose: (session: RedisSession) => void) {
    this.#shared = shared;
    this.#onClose = onClose;
    this.signals = shared.hub.signalsOf(this.id);
    this.#passing = new Passing(shared.time, (lock) => void this.#look(lock));
  }

  execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    if (this.#closed) return Promise.resolve(groups.map(() => notSent(closedError(BACKEND))));
    const context = this.#ready();
    if (!context) return this.#wait(groups, call);
    return new Promise((settle) => new Batch(this.#shared.alarm, groups, call, settle).send(context));
  }

  async page(query: Query, { deadline }: { readonly deadline: number }): Promise<Page> {
    if (this.#closed) throw closedError(BACKEND);
    const { time } = this.#shared;
    const context = this.#ready() ?? (await this.#enter(deadline));
    return readPage({ ...context, time, run: (groups) => this.#run(groups, deadline) }, query, deadline);
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#passing.close();
    this.#shared.hub.drop(this.id);
    this.#onClose(this);
  }

  /** Undefined while there is no connection. */
  #ready(): BatchContext | undefined {
    return this.#context && this.#shared.router.isReady("commands", undefined) ? this.#context : undefined;
  }

  /** Groups wait for a connection, as many as there is room for; the others are told at once that there is none. */
  #wait(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    const { alarm, pending } = this.#shared;
    const { admitted, leave } = pending.enter(groups.length);
    const refused = groups.slice(admitted).map(() => notSent(pending.full()));
    for (const [i, outcome] of refused.entries()) call.settled?.(admitted + i, outcome);
    if (admitted === 0) return Promise.resolve(refused);
    return new Promise((settle) => {
      const batch = new Batch(alarm, groups.slice(0, admitted), call, (outcomes) => {
        leave();
        settle([...outcomes, ...refused]);
      });
      void this.#sendLater(batch, call.deadline, leave);
    });
  }

  async #sendLater(batch: Batch, deadline: number, leave: () => void): Promise<void> {
    try {
      const context = await this.#reach(deadline);
      leave();
      batch.send(context);
    } catch (error) {
      batch.fail(error as Error);
    }
  }

  /** As {@link #reach}, for one call, if there is room for it. */
  async #enter(deadline: number): Promise<BatchContext> {
    const { time, pending } = this.#shared;
    const { admitted, leave } = pending.enter(1);
    if (admitted === 0) throw pending.full();
    try {
      return await before(this.#reach(deadline), deadline, time);
    } finally {
      leave();
    }
  }

  /** Resolves when commands can be sent. Rejects with a HoldfastError. */
  async #reach(deadline: number): Promise<BatchContext> {
    const { router, layout, places, pending } = this.#shared;
    const { stampsApart, declareAll } = await this.#shared.openBefore(deadline);
    if (!router.isReady("commands", undefined)) await router.ready(deadline);
    if (this.#closed) throw closedError(BACKEND);
    this.#context ??= {
      router,
      places,
      pending,
      encoding: { layout, channel: layout.grantsChannel(this.id), stampsApart, declareAll },
      learned: (op, outcome, passedMs) => this.#passing.learned(op, outcome, passedMs),
    };
    return this.#context;
  }

  #run(groups: readonly Group[], deadline: number): Promise<readonly Outcome[]> {
    return this.execute(groups, { deadline, claim: () => true });
  }

  /** Has a lock that may be due looked at, which passes it on. */
  async #look(lock: Key): Promise<void> {
    const deadline = this.#shared.time.monotonic() + lookTimeout;
    const [outcome] = await this.#run([{ ops: [{ op: "inspect", lock }] }], deadline);
    if (!outcome?.ok) this.#passing.failed(lock);
  }
}
