import { isHoldfastError, UnavailableError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Backend, Capabilities, Examination, Opened, Session } from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import { closedError } from "../common/failures.ts";
import { Opening } from "../common/opening.ts";
import { PendingCallers } from "../common/pending.ts";
import type { Batch } from "./batch.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { makeRouter, resolveRedisOptions, type RedisOptions, type ResolvedOptions } from "./connections/index.ts";
import type { Known, Shared } from "./shared.ts";
import { Layout } from "./layout.ts";
import { BACKEND } from "./connections/failures.ts";
import { failedBy } from "./outcomes.ts";
import { Places } from "./places.ts";
import type { Router } from "./router.ts";
import { RedisSession } from "./session.ts";
import { checkSettings, examineServers, requireRights, type ServerTraits } from "./settings/index.ts";
import { before } from "./signals/before.ts";
import { notificationsForbidden } from "./signals/notification-flags.ts";
import type { SignalHub } from "../common/signal-hub.ts";
import { redisHub } from "./signals/signal-hub.ts";

/**
 * Redis, Valkey and what speaks as they do: alone, with Sentinel, or as a cluster. No I/O, and the driver is not loaded
 * before the first call. Throws InvalidArgumentError for options that cannot be.
 */
export function redisBackend(options: RedisOptions): Backend {
  const resolved = resolveRedisOptions(options);
  const router = makeRouter(options, systemTime, () => backend.reached());
  const backend: RedisBackend = new RedisBackend(router, resolved, systemTime);
  return backend;
}

class RedisBackend implements Backend, Shared {
  readonly name = "redis";
  readonly time: Time;
  readonly router: Router;
  readonly layout: Layout;
  readonly places: Places;
  readonly hub: SignalHub;
  readonly pending: PendingCallers;
  readonly alarm: Alarm<Batch>;
  readonly #options: ResolvedOptions;
  readonly #sessions = new Set<RedisSession>();
  readonly #opening: Opening<Opened & { readonly known: Known }>;
  #closed: Promise<void> | undefined;
  #looking = false;

  constructor(router: Router, options: ResolvedOptions, time: Time) {
    this.time = time;
    this.router = router;
    this.#options = options;
    this.layout = new Layout(options.prefix);
    this.places = new Places(router, this.layout);
    this.pending = new PendingCallers(BACKEND, options.maxWaiting);
    this.#opening = new Opening(BACKEND, time, () => this.#attempt());
    this.alarm = new Alarm(this.time, (batch) => batch.expire());
    this.hub = redisHub({
      router,
      layout: this.layout,
      time,
      database: options.database,
      notifications: options.notifications,
    });
  }

  async open(): Promise<Opened> {
    // Until it was open once, calls wait here to hear what it can. The attempt that all of them share bounds how long.
    const stay = this.#opening.opened ? undefined : this.pending.enter(1);
    if (stay?.admitted === 0) throw this.pending.full();
    try {
      const { domain, capabilities, whyNoWatch } = await this.#opening.open();
      return { domain, capabilities, whyNoWatch };
    } finally {
      stay?.leave();
    }
  }

  async openBefore(deadline: number): Promise<Known> {
    return (await this.#opening.openBefore(deadline)).known;
  }

  session(): Session {
    const session = new RedisSession(this, (ended) => this.#sessions.delete(ended));
    if (this.#closed) session.end();
    else this.#sessions.add(session);
    return session;
  }

  async examine({ deadline }: { readonly deadline: number }): Promise<Examination> {
    if (this.#closed) throw closedError(BACKEND);
    const { router, time } = this;
    // Whoever asks how it is now is told that it is away.
    await router.ready(deadline, undefined, true);
    const promised = ({ promises }: ServerTraits, watches: boolean): Capabilities =>
      capabilitiesOf(router.topology, promises, watches);
    return examineServers(router, this.#options, promised, { time, deadline });
  }

  /** A server was reached, perhaps another one than before. */
  reached(): void {
    if (this.#opening.opened && !this.#looking) void this.#lookAgain();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const session of [...this.#sessions]) session.end();
    const opening = this.#opening.close();
    await this.hub.close();
    await this.router.close();
    // It ends soon: what it asks for is refused by now.
    await opening;
  }

  /**
   * Looks at the settings of servers that were reached after the backend was opened. It tells, and refuses no longer: a
   * failover to a server that is set otherwise must not stop a service that runs.
   */
  async #lookAgain(): Promise<void> {
    const { router, time } = this;
    this.#looking = true;
    try {
      const deadline = time.monotonic() + this.#options.connectTimeout;
      await checkSettings(router, { ...this.#options, settings: "warn" }, { time, deadline });
    } catch (error) {
      // Servers that are away again are looked at when they are back; those that can never work fail each call.
      if (!isHoldfastError(error)) throw error;
    } finally {
      this.#looking = false;
    }
  }

  async #attempt(): Promise<Opened & { readonly known: Known }> {
    const { router, time } = this;
    const { connectTimeout, notifications } = this.#options;
    const deadline = time.monotonic() + connectTimeout;
    await router.ready(deadline);
    // First, so that nothing is written where the server or its user is refused.
    const traits = await checkSettings(router, this.#options, { time, deadline });
    const [forbidden] = await Promise.all([
      traits.mute ?? notificationsForbidden(router, notifications, deadline),
      requireRights(router, this.#options, { time, deadline }),
    ]);
    const domain = await before(this.#domain(), deadline, time);
    const { stampsApart, declareAll } = knownOf(router, traits);
    return {
      domain,
      capabilities: capabilitiesOf(router.topology, traits.promises, forbidden === undefined),
      whyNoWatch: forbidden,
      known: { stampsApart, declareAll },
    };
  }

  /** The id of the data: whoever comes first draws it. */
  async #domain(): Promise<string> {
    const { domain } = this.layout;
    try {
      await this.router.send("commands", domain, ["SET", domain, drawId(), "NX"]);
      const id = await this.router.send("commands", domain, ["GET", domain]);
      if (id !== null) return String(id);
    } catch (error) {
      throw failedBy(error).error;
    }
    throw new UnavailableError("the server does not keep what was just written", { backend: BACKEND });
  }
}

function knownOf(router: Router, { undeclaredKeys }: ServerTraits): Known {
  return { stampsApart: router.topology === "cluster" || !undeclaredKeys, declareAll: !undeclaredKeys };
}
