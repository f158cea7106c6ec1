import type { Key } from "../../base/keys.ts";
import { drawId } from "../../base/ids.ts";
import type { ExecuteCall, Group, Outcome, Page, Query, Session, Signals } from "../../port/index.ts";
import { Batch, type BatchContext } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { closed, notSent } from "./outcomes.ts";
import { readPage } from "./pages.ts";
import { before } from "./signals/before.ts";
import { Turns } from "./turns.ts";

/** How long a look at a lock may take, in ms. */
const lookTimeout = 5_000;

/** An instance on a Redis backend. */
export class RedisSession implements Session {
  readonly id: string = drawId();
  readonly signals: Signals;
  readonly #engine: Engine;
  readonly #turns: Turns;
  readonly #onClose: (session: RedisSession) => void;
  #context: BatchContext | undefined;
  #closed = false;

  constructor(engine: Engine, onClose: (session: RedisSession) => void) {
    this.#engine = engine;
    this.#onClose = onClose;
    this.signals = engine.hub.signalsOf(this.id);
    this.#turns = new Turns(engine.time, (lock) => void this.#look(lock));
  }

  execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    if (this.#closed) return Promise.resolve(groups.map(() => notSent(closed())));
    return new Promise((settle) => {
      const { time, router } = this.#engine;
      const batch = new Batch(time, groups, call, settle);
      if (this.#context && router.isReady("commands", undefined)) batch.send(this.#context);
      else void this.#sendLater(batch, call.deadline);
    });
  }

  async page(query: Query, { deadline }: { readonly deadline: number }): Promise<Page> {
    if (this.#closed) throw closed();
    const { time } = this.#engine;
    const context = await before(this.#reach(deadline), deadline, time, { ref: true });
    return readPage({ ...context, time, run: (groups) => this.#run(groups, deadline) }, query, deadline);
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.close();
    this.#engine.hub.drop(this.id);
    this.#onClose(this);
  }

  async #sendLater(batch: Batch, deadline: number): Promise<void> {
    try {
      batch.send(await this.#reach(deadline));
    } catch (error) {
      batch.fail(error as Error);
    }
  }

  /** Resolves when commands can be sent. Rejects with a HoldfastError. */
  async #reach(deadline: number): Promise<BatchContext> {
    const { router, layout, places } = this.#engine;
    const { stampsApart, declareAll } = await this.#engine.openBefore(deadline);
    if (!router.isReady("commands", undefined)) await router.ready(deadline);
    if (this.#closed) throw closed();
    this.#context ??= {
      router,
      places,
      encoding: { layout, channel: layout.grantsChannel(this.id), stampsApart, declareAll },
      learned: (op, outcome, turnMs) => this.#turns.learned(op, outcome, turnMs),
    };
    return this.#context;
  }

  #run(groups: readonly Group[], deadline: number): Promise<readonly Outcome[]> {
    return this.execute(groups, { deadline, claim: () => true });
  }

  /** Has a lock that may be due looked at, which passes it on. */
  async #look(lock: Key): Promise<void> {
    const deadline = this.#engine.time.monotonic() + lookTimeout;
    const [outcome] = await this.#run([{ ops: [{ op: "inspect", lock }] }], deadline);
    if (!outcome?.ok) this.#turns.failed(lock);
  }
}
