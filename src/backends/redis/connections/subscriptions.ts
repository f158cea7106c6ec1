import { Awaited } from "../../common/awaited.ts";
import { closedError } from "../../common/failures.ts";
import { UnsupportedError, type HoldfastError } from "../../../base/errors.ts";
import type { Timer } from "../../../base/time.ts";
import { RedisFailure, type PushListener } from "../router.ts";
import type { Common, ConnectionOptions } from "./connection-options.ts";
import { Connection } from "./connection.ts";
import { BACKEND, isReply } from "./failures.ts";
import type { MessageListener, Role, SubscriptionKind, Wire } from "./wire.ts";

/** A subscription connection is asked for a sign of life so often: it gets no replies that would tell. */
const PING_MS = 4_000;

interface Entry {
  readonly kind: SubscriptionKind;
  readonly name: string;
  readonly listener: MessageListener;
  /** The server has confirmed it on some connection. */
  confirmed: boolean;
  /** Callers that wait for that. */
  asks: number;
  refusal: HoldfastError | undefined;
}

export interface SubscriptionsOptions extends Common {
  /** Default `"subscriptions"`. */
  readonly role?: Role;
  /** It joins others that have been listening, so that already its beginning is a gap. Default false. */
  readonly late?: boolean;
  readonly maxWaiting: number;
  endpoint(): ReturnType<ConnectionOptions["endpoint"]>;
  prepare?(wire: Wire): Promise<void>;
}

/** Subscriptions on one connection, which are made again whenever it had to be replaced. */
export class Subscriptions {
  readonly #listener: PushListener;
  readonly #options: SubscriptionsOptions;
  readonly #connection: Connection;
  readonly #entries = new Map<string, Entry>();
  readonly #pending: Awaited;
  /** The wire on which all entries of its beginning are confirmed. */
  #current: Wire | undefined;
  #before: boolean;
  #ping: Timer | undefined;
  #closed = false;

  constructor(listener: PushListener, options: SubscriptionsOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#before = options.late === true;
    this.#pending = new Awaited(BACKEND, options.time, options.maxWaiting);
    this.#connection = new Connection({
      ...options,
      role: options.role ?? "subscriptions",
      prepare: async (wire) => {
        await options.prepare?.(wire);
        await Promise.all([...this.#entries.values()].map((entry) => this.#renew(wire, entry)));
      },
      // Those who listen already are told nothing of a failure: it must not be the end.
      persists: () => this.#entries.size > 0,
      changed: () => this.#changed(),
    });
  }

  async subscribe(kind: SubscriptionKind, name: string, deadline: number): Promise<void> {
    const entry = this.#add(kind, name);
    this.#connection.start();
    entry.asks++;
    try {
      await this.#pending.wait(deadline, {
        done: () => entry.confirmed && this.#current !== undefined,
        failed: () => entry.refusal ?? this.#hopeless(),
        problem: () => this.#connection.problem,
      });
    } catch (error) {
      if (!entry.confirmed && entry.asks === 1) this.#remove(entry);
      throw error;
    } finally {
      entry.asks--;
    }
  }

  /** Subscribes as soon as it can, and tells nobody when. */
  want(kind: SubscriptionKind, name: string): void {
    this.#add(kind, name);
    this.#connection.start();
  }

  unsubscribe(kind: SubscriptionKind, name: string): void {
    const entry = this.#entries.get(keyOf(kind, name));
    if (entry) this.#remove(entry);
  }

  /** Replaces the connection, unless it leads to `to`; a gap follows. */
  renew(to?: string): void {
    this.#connection.renew(to);
  }

  close(): void {
    this.#closed = true;
    this.#ping?.clear();
    this.#connection.close();
    this.#pending.look();
  }

  #hopeless(): HoldfastError | undefined {
    if (this.#closed) return closedError(BACKEND);
    return this.#connection.hopeless ? this.#connection.problem : undefined;
  }

  #add(kind: SubscriptionKind, name: string): Entry {
    const key = keyOf(kind, name);
    const known = this.#entries.get(key);
    if (known) return known;
    const pattern = kind === "pattern" ? name : undefined;
    const entry: Entry = {
      kind,
      name,
      listener: (channel, body) => {
        if (this.#entries.get(key) === entry) this.#listener.message(channel, body, pattern);
      },
      confirmed: false,
      asks: 0,
      refusal: undefined,
    };
    this.#entries.set(key, entry);
    if (this.#current) void this.#subscribeNow(this.#current, entry);
    return entry;
  }

  /** On a new connection. What was refused at its first try is nothing that the others wait for. */
  async #renew(wire: Wire, entry: Entry): Promise<void> {
    try {
      await subscribe(wire, entry);
    } catch (error) {
      if (entry.confirmed || !isReply(error)) throw error;
      entry.refusal = refused(entry, this.#options.hide(error.message));
    }
  }

  async #subscribeNow(wire: Wire, entry: Entry): Promise<void> {
    try {
      await subscribe(wire, entry);
    } catch (error) {
      // A refusal is for whoever asked. After all else a new connection makes every subscription again.
      if (isReply(error)) entry.refusal = refused(entry, this.#options.hide(error.message));
      else if (wire === this.#connection.wire) this.#connection.renew();
    }
    this.#pending.look();
  }

  #remove(entry: Entry): void {
    const key = keyOf(entry.kind, entry.name);
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    const wire = this.#current;
    if (!wire || entry.refusal) return;
    // If that fails the connection is on its way out, and its successor does not know the entry.
    wire.unsubscribe(entry.kind, entry.name, entry.listener).catch(() => {
      if (wire === this.#connection.wire) this.#connection.renew();
    });
  }

  #changed(): void {
    const { wire } = this.#connection;
    if (wire !== this.#current) {
      this.#current = wire;
      if (wire) this.#begin(wire);
      else this.#ping?.clear();
    }
    this.#pending.look();
  }

  #begin(wire: Wire): void {
    // What was added while the entries before it were being confirmed.
    for (const entry of this.#entries.values()) {
      if (!entry.confirmed && !entry.refusal) void this.#subscribeNow(wire, entry);
    }
    this.#pingLater();
    if (this.#before) this.#listener.gap();
    this.#before = true;
  }

  #pingLater(): void {
    this.#ping?.clear();
    this.#ping = this.#options.time.after(PING_MS, () => {
      if (!this.#connection.ready) return;
      const again = (): void => {
        if (!this.#closed) this.#pingLater();
      };
      // A silent server is found out by the connection, whose own rule for pending commands it is. A refusal is a sign
      // of life, too.
      this.#connection.send(["PING"]).then(again, (error: unknown) => {
        if (error instanceof RedisFailure && error.reply !== undefined) again();
      });
    });
  }
}

async function subscribe(wire: Wire, entry: Entry): Promise<void> {
  await wire.subscribe(entry.kind, entry.name, entry.listener);
  entry.confirmed = true;
}

function keyOf(kind: SubscriptionKind, name: string): string {
  return `${kind}:${name}`;
}

function refused({ kind, name }: Entry, message: string): UnsupportedError {
  const grant = kind === "pattern" ? "+psubscribe &*" : `+subscribe &${name.slice(0, name.indexOf(":") + 1)}*`;
  const remedy = message.startsWith("NOPERM") ? `; allow ${grant}` : "";
  return new UnsupportedError(
    `the server refused the subscription to the ${kind} ${JSON.stringify(name)}: ${message}${remedy}`,
    { backend: BACKEND },
  );
}
