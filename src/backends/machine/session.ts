import { UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { pauseFor } from "../../base/time.ts";
import type {
  ExecuteCall,
  Group,
  Outcome,
  Page,
  Query,
  Session,
  Signal,
  Signals,
  Subscription,
} from "../../port/index.ts";
import { closedError, givenUp, notSent, refuse, type Limits } from "../common/failures.ts";
import { checkMessage } from "../common/messages.ts";
import type { Speech } from "./engine.ts";
import type { Environment } from "./environment.ts";
import { limits } from "./promises.ts";
import { onlyReads, type Reads } from "./reads.ts";
import { self } from "./site.ts";

/** Between two attempts to read a page while the data cannot be read, at most, in ms. */
const longestPause = 50;

/** An instance on the data. */
export class MachineSession implements Session {
  readonly id = `${self}/${drawId()}`;
  readonly signals: Signals;
  readonly #speech: Speech;
  readonly #limits: Limits;
  readonly #environment: () => Environment;
  readonly #opened: () => Environment | undefined;
  readonly #onClose: () => void;
  #closed = false;

  /** `environment` makes the environment or throws; `opened` is the one there is. */
  constructor(
    speech: Speech,
    environment: () => Environment,
    opened: () => Environment | undefined,
    onClose: () => void,
  ) {
    this.#speech = speech;
    this.#limits = { backend: speech.name, ...limits };
    this.#environment = environment;
    this.#opened = opened;
    this.#onClose = onClose;
    this.signals = {
      subscribe: (to, listener) => this.#subscribe(to, listener),
      publish: (topic, body) => this.#publish(topic, body),
    };
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    let environment: Environment;
    try {
      environment = this.#live();
    } catch (error) {
      return groups.map(() => notSent(this.#speech.explain(error as Error)));
    }
    const outcomes: Outcome[] = [];
    const { reads } = environment;
    for (const [i, group] of groups.entries()) {
      const refused = refuse(group, this.#limits);
      if (refused) outcomes[i] = refused;
      else if (reads && onlyReads(group)) {
        const outcome = this.#readNow(reads, group);
        if (outcome) outcomes[i] = call.claim(i) ? outcome : givenUp(this.#speech.name);
      }
    }
    const settled = environment.commits.submit(groups, this.id, call, outcomes);
    // Fails what was just queued, should it not open; it ends by its deadline anyhow.
    if (!reads) environment.reopen().catch(() => undefined);
    return settled;
  }

  executeNow(group: Group): Outcome | undefined {
    if (this.#closed || !onlyReads(group)) return undefined;
    const reads = this.#opened()?.reads;
    return reads && this.#readNow(reads, group);
  }

  async page(query: Query, call: { readonly deadline: number }): Promise<Page> {
    const environment = this.#live();
    if (!environment.reads) await environment.openBefore(call.deadline);
    const { name, explain } = this.#speech;
    for (let pause = 1; environment.reads; pause = Math.min(2 * pause, longestPause)) {
      try {
        const page = environment.reads.page(query);
        if (page) return page;
      } catch (error) {
        throw explain(error as Error);
      }
      const { time } = environment;
      if (time.monotonic() > call.deadline) break;
      await pauseFor(time, pause);
    }
    throw new UnavailableError(`the ${name} backend is not open, or cannot be read`, { backend: name });
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#opened()?.signals.drop(this.id);
      this.#onClose();
    }
    return Promise.resolve();
  }

  #live(): Environment {
    if (this.#closed) throw closedError(this.#speech.name);
    return this.#environment();
  }

  async #subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    const environment = this.#live();
    await environment.open();
    return environment.signals.subscribe(this.id, to, listener);
  }

  async #publish(topic: string, body: string): Promise<void> {
    const environment = this.#live();
    checkMessage(body, this.#speech.name);
    await environment.open();
    await environment.signals.publish(topic, body);
  }

  /** Runs a read whose failure is an outcome. */
  #readNow(reads: Reads, group: Group): Outcome | undefined {
    try {
      return reads.group(group);
    } catch (error) {
      return notSent(this.#speech.explain(error as Error));
    }
  }
}
