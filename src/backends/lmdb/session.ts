import { UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
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
import type { Environment } from "./environment.ts";
import { toError } from "./failures.ts";
import { onlyReads, type Reads } from "./reads.ts";
import { self } from "./site.ts";

/** Most keys in a group: how long one transaction holds others up. */
export const limits: Limits = { backend: "lmdb", maxGroup: 256, maxValue: 16 * 1024 * 1024 };

/** An instance on the directory. */
export class LmdbSession implements Session {
  readonly id = `${self}/${drawId()}`;
  readonly signals: Signals;
  readonly #environment: () => Environment;
  readonly #opened: () => Environment | undefined;
  readonly #onClose: () => void;
  #closed = false;

  /** `environment` makes the environment or throws; `opened` is the one there is. */
  constructor(environment: () => Environment, opened: () => Environment | undefined, onClose: () => void) {
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
      return groups.map(() => notSent(toError(error as Error)));
    }
    const outcomes: Outcome[] = [];
    const { reads } = environment;
    for (const [i, group] of groups.entries()) {
      const refused = refuse(group, limits);
      if (refused) outcomes[i] = refused;
      else if (reads && onlyReads(group)) {
        const outcome = readNow(reads, group);
        if (outcome) outcomes[i] = call.claim(i) ? outcome : givenUp("lmdb");
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
    return reads && readNow(reads, group);
  }

  async page(query: Query, call: { readonly deadline: number }): Promise<Page> {
    const environment = this.#live();
    if (!environment.reads) await environment.openBefore(call.deadline);
    try {
      if (environment.reads) return environment.reads.page(query);
    } catch (error) {
      throw toError(error as Error);
    }
    throw new UnavailableError("the lmdb backend is not open", { backend: "lmdb" });
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
    if (this.#closed) throw closedError("lmdb");
    return this.#environment();
  }

  async #subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    const environment = this.#live();
    await environment.open();
    return environment.signals.subscribe(this.id, to, listener);
  }

  async #publish(topic: string, body: string): Promise<void> {
    const environment = this.#live();
    checkMessage(body, "lmdb");
    await environment.open();
    await environment.signals.publish(topic, body);
  }
}

/** Runs a read whose failure is an outcome. */
function readNow(reads: Reads, group: Group): Outcome | undefined {
  try {
    return reads.group(group);
  } catch (error) {
    return notSent(toError(error as Error));
  }
}
