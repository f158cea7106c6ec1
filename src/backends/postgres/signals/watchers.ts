import type { Space } from "../../../base/keys.ts";
import type { Time, Timer } from "../../../base/time.ts";
import type { Reply, SqlClient } from "../../sql/client.ts";
import { bytesArray, textArray } from "../arrays.ts";
import { watchMs, type WatchTexts } from "./telling.ts";

/** How often registrations are renewed, and how soon after a failure, in ms. */
const renewEvery = watchMs / 3;
const renewAgain = 5_000;
/** How long a statement may take, in ms. */
const patience = 5_000;
/**
 * How long a subscription waits for older transactions, in ms. Those of our calls are over within milliseconds; one of
 * an application may take long.
 */
const settleWithin = 1_000;
/** Between two looks at them: the first, and the longest, in ms. */
const [firstLook, longestLook] = [2, 250];

export interface WatchersOptions {
  readonly time: Time;
  readonly client: SqlClient;
  readonly texts: WatchTexts;
  /** Names this process' subscriptions. */
  readonly watcher: string;
  /** Changes in that space may have gone untold until now. */
  gap(space: Space): void;
}

interface Watched {
  readonly space: Space;
  readonly channel: string;
  left: boolean;
}

interface Asking {
  readonly watched: Watched;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * The registrations of those who watch. A write tells of its changes where somebody is registered by then, so each is
 * renewed as long as somebody watches. Where it was not there for a time, a gap is told.
 */
export class Watchers {
  readonly #options: WatchersOptions;
  readonly #watched = new Map<string, Watched>();
  #asking: Asking[] = [];
  #leaving: Watched[] = [];
  #renews = false;
  #working: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: WatchersOptions) {
    this.#options = options;
  }

  /**
   * Resolves when what is acknowledged from then on is told on the channel, or a gap after it. Rejects with what the
   * client rejects with. Not for a space that is watched already.
   */
  add(space: Space, channel: string): Promise<void> {
    const watched: Watched = { space, channel, left: false };
    this.#watched.set(space.id, watched);
    return new Promise((resolve, reject) => {
      this.#asking.push({ watched, resolve, reject });
      this.#work();
    });
  }

  /** Nobody watches it any more. */
  remove(space: Space): void {
    const watched = this.#watched.get(space.id);
    if (!watched) return;
    watched.left = true;
    this.#watched.delete(space.id);
    this.#leaving.push(watched);
    this.#work();
  }

  /** Resolves when the server knows that nobody watches any more, or cannot be told. Call {@link remove} before. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.clear();
    await this.#working;
  }

  #work(): void {
    if (!this.#working) this.#working = this.#run();
  }

  /** One statement after another: what is left and asked for again comes in this order. Never rejects. */
  async #run(): Promise<void> {
    // Those who ask in one turn of the loop are registered together.
    await Promise.resolve();
    while (this.#asking.length + this.#leaving.length > 0 || this.#renews) {
      const leaving = this.#leaving;
      this.#leaving = [];
      // What cannot be taken back ends by itself, and costs writes a notification until then.
      if (leaving.length > 0) await this.#statement("leave", leaving).catch(() => undefined);
      if (this.#renews) await this.#renew();
      const asking = this.#asking;
      this.#asking = [];
      if (asking.length > 0) await this.#register(asking);
    }
    this.#working = undefined;
  }

  async #register(asking: readonly Asking[]): Promise<void> {
    const all = asking.map(({ watched }) => watched);
    try {
      await this.#statement("register", all);
    } catch (error) {
      for (const { reject } of asking) reject(error);
      return;
    }
    this.#renewLater(renewEvery);
    void this.#settle(all, () => {
      for (const { resolve } of asking) resolve();
    }).then((late) => {
      if (late) this.#gap(all);
    });
  }

  async #renew(): Promise<void> {
    this.#renews = false;
    const all = [...this.#watched.values()];
    if (all.length === 0 || this.#closed) return;
    try {
      const rows = await this.#statement("register", all);
      this.#renewLater(renewEvery);
      const held = new Set(rows.filter(([, isHeld]) => isHeld === true).map(([space]) => hexText(space)));
      const lapsed = all.filter(({ space }) => !held.has(space.id));
      if (lapsed.length > 0) void this.#settle(lapsed, () => undefined).then(() => this.#gap(lapsed));
    } catch {
      // As long as it fails, what that may have cost is not known: the first renewal that works tells.
      this.#renewLater(renewAgain);
    }
  }

  #renewLater(ms: number): void {
    this.#timer?.clear();
    if (this.#closed) return;
    this.#timer = this.#options.time.after(ms, () => {
      this.#renews = true;
      this.#work();
    });
  }

  /**
   * Waits until those transactions are over that may not see a registration of this moment, and so tell nobody; whether
   * that came so late that `soon` was called before. Never rejects.
   */
  async #settle(all: readonly Watched[], soon: () => void): Promise<boolean> {
    const { time } = this.#options;
    const end = time.monotonic() + settleWithin;
    let older: ReadonlySet<unknown> | undefined;
    let late = false;
    for (
      let pause = firstLook;
      !this.#closed && all.some(({ left }) => !left);
      pause = Math.min(2 * pause, longestLook)
    ) {
      const now = await this.#writers();
      if (now) older = new Set([...now].filter((one) => older?.has(one) ?? true));
      if (older?.size === 0) break;
      if (!late && time.monotonic() >= end) {
        late = true;
        soon();
      }
      await new Promise<void>((resolve) => void time.after(now ? pause : longestLook, resolve));
    }
    if (!late) soon();
    return late;
  }

  /** Undefined where the server cannot be asked. */
  async #writers(): Promise<ReadonlySet<unknown> | undefined> {
    const { client, texts, time } = this.#options;
    try {
      const asked = { text: texts.writers, values: [] };
      const { rows } = await client.read(asked, { deadline: time.monotonic() + patience });
      return new Set(rows.map(([id]) => id));
    } catch {
      return undefined; // it is asked again
    }
  }

  async #statement(what: "register" | "leave", all: readonly Watched[]): Promise<Reply["rows"]> {
    const { client, texts, time, watcher } = this.#options;
    const spaces = bytesArray(all.map(({ space }) => space.id));
    const values = [watcher, spaces, ...(what === "register" ? [textArray(all.map(({ channel }) => channel))] : [])];
    const reply = await client.write(() => ({ text: texts[what], values }), { deadline: time.monotonic() + patience });
    return reply?.rows ?? [];
  }

  #gap(all: readonly Watched[]): void {
    for (const { space, left } of all) if (!left) this.#options.gap(space);
  }
}

function hexText(digits: unknown): string {
  return Buffer.from(String(digits), "hex").toString();
}
