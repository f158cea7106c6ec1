import { UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type {
  Backend,
  Capabilities,
  ExecuteCall,
  Group,
  Opened,
  Outcome,
  Page,
  Query,
  Session,
} from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import { Call } from "./call.ts";
import { Engine } from "./engine.ts";
import { failureOf } from "./failure.ts";
import { readPage } from "./pages.ts";
import { capabilitiesOf } from "./promises.ts";
import { refusalOf } from "./refusal.ts";
import { messagesOf, SignalHub, tellPassed } from "./signal-hub.ts";
import type { Messages, Store } from "./store.ts";

/** How long an attempt to open, and a message, may take, in ms. */
const patienceMs = 10_000;

export interface StoreBackendOptions {
  /** For errors and tables, such as `"toy"`. */
  readonly name: string;
  readonly store: Store;
  /** Clocks and timers. The machine's unless told. */
  readonly time?: Time | undefined;
}

/** A backend on a {@link Store}. No I/O. */
export function storeBackend(options: StoreBackendOptions): Backend {
  return new StoreBackend(options);
}

class StoreBackend implements Backend {
  readonly name: string;
  readonly time: Time;
  readonly store: Store;
  readonly capabilities: Capabilities;
  readonly engine: Engine;
  readonly alarm: Alarm<Call>;
  readonly messages: Messages | undefined;
  closed = false;
  readonly #sessions = new Set<StoreSession>();
  #opening: Promise<Opened> | undefined;
  #isOpen = false;

  constructor({ name, store, time = systemTime }: StoreBackendOptions) {
    this.name = name;
    this.store = store;
    this.time = time;
    this.capabilities = capabilitiesOf(store);
    this.alarm = new Alarm(time, (call) => call.expire());
    const messages = messagesOf(store, () => time.wall());
    this.messages = messages;
    const onPassed: Engine["onPassed"] = (passed) => messages && tellPassed(messages, passed, this.limit());
    this.engine = new Engine({ name, store, time, onPassed });
  }

  /** Whether {@link open} has been done. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): Promise<Opened> {
    if (this.closed) return Promise.reject(this.closedError());
    return (this.#opening ??= this.#open());
  }

  session(): Session {
    const session = new StoreSession(this, (ended) => this.#sessions.delete(ended));
    if (this.closed) session.end();
    else this.#sessions.add(session);
    return session;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const session of [...this.#sessions]) session.end();
    await this.store.close();
  }

  closedError(): UnavailableError {
    return new UnavailableError(`the ${this.name} backend is closed`, { backend: this.name });
  }

  limit(): { readonly deadline: number } {
    return { deadline: this.time.monotonic() + patienceMs };
  }

  async #open(): Promise<Opened> {
    try {
      const { domain } = await this.store.open(this.limit());
      this.#isOpen = true;
      return { domain, capabilities: this.capabilities };
    } catch (error) {
      this.#opening = undefined;
      throw failureOf(error, this.name);
    }
  }
}

class StoreSession implements Session {
  readonly id = drawId();
  readonly signals?: SignalHub;
  readonly #backend: StoreBackend;
  readonly #onEnd: (session: StoreSession) => void;
  #ended = false;

  constructor(backend: StoreBackend, onEnd: (session: StoreSession) => void) {
    this.#backend = backend;
    this.#onEnd = onEnd;
    const { messages, store, name } = backend;
    if (!messages) return;
    const open = async (): Promise<unknown> => backend.open();
    this.signals = new SignalHub({
      backend: name,
      store,
      messages,
      session: this.id,
      open,
      limit: () => backend.limit(),
    });
  }

  execute(groups: readonly Group[], given: ExecuteCall): Promise<readonly Outcome[]> {
    return new Promise((settle) => {
      const { alarm, name, engine, capabilities, isOpen } = this.#backend;
      const call = new Call({ groups, session: this.id, backend: name }, given, alarm, settle);
      for (const task of call.tasks) {
        const error = this.#ended ? this.#backend.closedError() : refusalOf(task, name, capabilities);
        if (error) task.fail(error);
      }
      const left = call.tasks.filter(({ outcome }) => !outcome);
      if (left.length === 0) return;
      if (isOpen) engine.enter(left);
      else void this.#openFor(left);
    });
  }

  async page(query: Query, { deadline }: { readonly deadline: number }): Promise<Page> {
    if (this.#ended) throw this.#backend.closedError();
    const { store, name, time, engine } = this.#backend;
    await this.#backend.open();
    try {
      const context = { store, name, clock: engine.clock, monotonic: () => time.monotonic() };
      return await readPage(context, query, { deadline });
    } catch (error) {
      throw failureOf(error, name);
    }
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.signals?.end();
    this.#onEnd(this);
  }

  async #openFor(tasks: Call["tasks"]): Promise<void> {
    try {
      await this.#backend.open();
    } catch (error) {
      for (const task of tasks) task.fail(failureOf(error, this.#backend.name));
      return;
    }
    this.#backend.engine.enter(tasks);
  }
}
