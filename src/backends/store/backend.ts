import { UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type {
  Backend,
  Capabilities,
  Examination,
  ExecuteCall,
  Group,
  Opened,
  Outcome,
  Page,
  Query,
  Session,
} from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import { before } from "../common/deadline.ts";
import { Call, type TaskCall } from "../common/call.ts";
import { closedError, lateError, notSent } from "../common/failures.ts";
import { Opening } from "../common/opening.ts";
import { Task } from "./call.ts";
import { checked } from "./checked.ts";
import type { EngineOptions } from "./engine.ts";
import { Engines } from "./engines.ts";
import { failureOf } from "./store-error.ts";
import { readPage } from "./pages.ts";
import { capabilitiesOf, contentOf } from "./promises.ts";
import { refusalOf } from "./refusal.ts";
import { messagesOf, SignalHub, tellPassed } from "./signal-hub.ts";
import type { Found, Messages, Store } from "./store.ts";

/** How long an attempt to open, and a message, may take, in ms. */
const patienceMs = 10_000;

export interface StoreBackendOptions {
  /** For errors and tables, such as `"toy"`. */
  readonly name: string;
  readonly store: Store;
  /** Clocks and timers. The machine's unless told. */
  readonly time?: Time | undefined;
}

/** A backend on a {@link Store}. No I/O. Throws InvalidArgumentError for a store that declares what cannot be. */
export function storeBackend(options: StoreBackendOptions): Backend {
  return new StoreBackend(options);
}

const make = (call: TaskCall, i: number, group: Group): Task => new Task(call, i, group);

class StoreBackend implements Backend {
  readonly name: string;
  readonly time: Time;
  readonly store: Store;
  /** As declared, until it is open. */
  capabilities: Capabilities;
  readonly examine?: NonNullable<Backend["examine"]>;
  readonly engines: Engines;
  readonly alarm: Alarm<Call<Task>>;
  readonly messages: Messages | undefined;
  closed = false;
  readonly opening: Opening<Opened>;
  readonly keepAlive: KeepAlive;
  readonly #sessions = new Set<StoreSession>();

  constructor({ name, store: given, time = systemTime }: StoreBackendOptions) {
    const store = checked(given, name);
    this.name = name;
    this.store = store;
    this.time = time;
    this.capabilities = this.#promised();
    this.keepAlive = new KeepAlive(time);
    this.alarm = new Alarm(time, (call) => call.expire());
    const messages = messagesOf(
      store,
      () => time.wall(),
      () => this.limit(),
    );
    this.messages = messages;
    this.opening = new Opening(name, time, async () => this.#open());
    const onPassed: EngineOptions["onPassed"] = (passed) => messages && tellPassed(messages, passed, this.limit());
    const maxContent = (): number => contentOf(this.capabilities);
    this.engines = new Engines({ name, store, time, maxContent, onPassed });
    if (store.examine) this.examine = async (limit) => this.#examine(limit);
  }

  open(): Promise<Opened> {
    return this.opening.open();
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
    await this.opening.close();
    await this.store.close();
  }

  limit(): { readonly deadline: number } {
    return { deadline: this.time.monotonic() + patienceMs };
  }

  /** Reaches the server, or gives up: the store's own promise need not settle. */
  async #open(): Promise<Opened> {
    const { time, name } = this;
    const { deadline } = this.limit();
    const late = (): Error => new UnavailableError("the server could not be reached in time", { backend: name });
    try {
      const opened = await before(this.store.open({ deadline }), { time, deadline, late, ref: true });
      this.capabilities = this.#promised(opened.declares);
      return { domain: opened.domain, capabilities: this.capabilities };
    } catch (error) {
      throw failureOf(error, name);
    }
  }

  #promised(found?: Found): Capabilities {
    return capabilitiesOf(this.store, { ...this.store.declares, ...found });
  }

  async #examine(limit: { readonly deadline: number }): Promise<Examination> {
    try {
      const { declares, ...told } = await (this.store.examine as NonNullable<Store["examine"]>)(limit);
      return { ...told, capabilities: this.#promised(declares) };
    } catch (error) {
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
    const { messages, store, name, time } = backend;
    if (!messages) return;
    const open = async (): Promise<unknown> => backend.open();
    this.signals = new SignalHub({
      backend: name,
      store,
      messages,
      session: this.id,
      open,
      time,
      limit: () => backend.limit(),
    });
  }

  execute(groups: readonly Group[], given: ExecuteCall): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      const { alarm, name, engines, capabilities, opening, keepAlive } = this.#backend;
      keepAlive.enter();
      const settle = (outcomes: readonly Outcome[]): void => {
        keepAlive.leave();
        resolve(outcomes);
      };
      const call = new Call({ groups, session: this.id, backend: name, make }, given, alarm, settle);
      for (const task of call.tasks) {
        const refused = this.#ended ? notSent(closedError(name)) : refusalOf(task, name, capabilities);
        if (refused) task.settle(refused);
      }
      const left = call.tasks.filter(({ outcome }) => !outcome);
      if (left.length === 0) return;
      if (opening.opened) engines.enter(left);
      else void this.#openFor(left, given.deadline);
    });
  }

  async page(query: Query, { deadline }: { readonly deadline: number }): Promise<Page> {
    const { store, name, time, engines, opening } = this.#backend;
    if (this.#ended) throw closedError(name);
    const late = (): Error => lateError(name);
    const read = async (): Promise<Page> => {
      await opening.openBefore(deadline);
      return readPage({ store, name, clock: engines.clock, monotonic: () => time.monotonic() }, query, { deadline });
    };
    try {
      return await before(read(), { time, deadline, late, ref: true });
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

  async #openFor(tasks: readonly Task[], deadline: number): Promise<void> {
    const { name, engines, opening } = this.#backend;
    try {
      await opening.openBefore(deadline);
    } catch (error) {
      for (const task of tasks) task.fail(failureOf(error, name));
      return;
    }
    engines.enter(tasks);
  }
}
