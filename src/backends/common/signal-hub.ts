import type { HoldfastError } from "../../base/errors.ts";
import type { Time } from "../../base/time.ts";
import type { Signal, Signals, Subscription } from "../../port/index.ts";
import { before } from "./deadline.ts";
import { Delivery, type Listening } from "./delivery.ts";
import { closedError } from "./failures.ts";
import { checkMessage, checkTopic } from "./messages.ts";

/** How long a server may take to confirm a subscription or to take a message, in ms. */
export const signalTimeout = 5_000;

/** Who listens to a name at the server. */
export interface Member extends Listening {
  readonly to: Subscription;
}

/** A server that carries signals, each under a name. */
export interface Carrier {
  /** What `to` of that session is called at the server. Throws a HoldfastError where it cannot be subscribed to. */
  nameOf(session: string, to: Subscription): string;
  /** Resolves when the member is told. One whose join was rejected leaves all the same. */
  join(name: string, member: Member, deadline: number): Promise<void>;
  leave(name: string, member: Member): void;
  /** What a failure means to one who subscribes: nothing was changed. */
  subscribeError(error: unknown, name: string): HoldfastError;
  /** Rejects with a HoldfastError soon after the deadline at the latest. */
  publish(topic: string, body: string, deadline: number): Promise<void>;
  close(): Promise<void>;
}

/** A session, and what it listens to. */
interface Instance {
  readonly id: string;
  readonly stops: Set<() => void>;
  ended: boolean;
}

/** The signals of all sessions of a backend, whose server carries them. */
export class SignalHub {
  readonly #backend: string;
  readonly #time: Time;
  readonly #carrier: Carrier;
  readonly #delivery = new Delivery();
  readonly #instances = new Map<string, Instance>();
  #closed = false;

  constructor(backend: string, time: Time, carrierFor: (hub: SignalHub) => Carrier) {
    this.#backend = backend;
    this.#time = time;
    this.#carrier = carrierFor(this);
  }

  /** The signals of a session, until {@link drop}. */
  signalsOf(session: string): Signals {
    const known = this.#instances.get(session);
    const instance: Instance = known ?? { id: session, stops: new Set(), ended: this.#closed };
    if (!this.#closed) this.#instances.set(session, instance);
    return {
      subscribe: async (to, listener) => this.#subscribe(instance, to, listener),
      publish: async (topic, body) => this.#publish(instance, topic, body),
    };
  }

  /** The session has ended, and what it subscribed to with it. */
  drop(session: string): void {
    const instance = this.#instances.get(session);
    if (!instance) return;
    this.#instances.delete(session);
    instance.ended = true;
    for (const stop of [...instance.stops]) stop();
  }

  /** Ends every subscription, and the carrier. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const session of [...this.#instances.keys()]) this.drop(session);
    await this.#carrier.close();
  }

  /** For the carrier: has members told. */
  tell(members: Iterable<Member>, signal: Signal): void {
    for (const member of members) this.#delivery.tell(member, signal);
  }

  async #subscribe(instance: Instance, to: Subscription, listener: (signal: Signal) => void): Promise<() => void> {
    if (instance.ended) throw closedError(this.#backend);
    if ("topic" in to) checkTopic(to.topic, this.#backend);
    const carrier = this.#carrier;
    const name = carrier.nameOf(instance.id, to);
    let onStop: (error: Error) => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      onStop = reject;
    });
    const member: Member = { to, listener, live: true };
    const stop = (): void => {
      if (!member.live) return;
      member.live = false;
      instance.stops.delete(stop);
      carrier.leave(name, member);
      onStop(closedError(this.#backend));
    };
    instance.stops.add(stop);
    const time = this.#time;
    const deadline = time.monotonic() + signalTimeout;
    const late = (): Error => new Error("the server did not confirm it in time");
    try {
      const joined = Promise.race([carrier.join(name, member, deadline), stopped]);
      await before(joined, { time, deadline, late, ref: true });
    } catch (error) {
      stop();
      throw carrier.subscribeError(error, name);
    }
    onStop = () => undefined;
    return stop;
  }

  async #publish(instance: Instance, topic: string, body: string): Promise<void> {
    if (instance.ended) throw closedError(this.#backend);
    checkTopic(topic, this.#backend);
    checkMessage(body, this.#backend);
    await this.#carrier.publish(topic, body, this.#time.monotonic() + signalTimeout);
  }
}
