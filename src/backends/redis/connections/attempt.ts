import { deferred } from "../../../base/async.ts";
import type { Attempt } from "../../common/reconnecting.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { introduce } from "./introduce.ts";
import type { Live } from "./live.ts";
import { showEndpoint, type Wire } from "./wire.ts";
import { noAnswer, understood } from "./who-answers.ts";

/** What becomes of a wire that is open. */
export interface AttemptEnds {
  alive(wire: Wire): Live;
  lost(live: Live, why: unknown): void;
}

/** One attempt to connect, bounded in time; whatever it opened is closed when it fails. */
export class DialAttempt implements Attempt<Live> {
  readonly #options: ConnectionOptions;
  readonly #isNew: boolean;
  readonly #ends: AttemptEnds;
  readonly #ended = deferred<never>();
  #over = false;
  #where: string | undefined;
  #silence = "";
  #wire: Wire | undefined;
  #live: Live | undefined;

  /** `isNew`: the server was never reached, so it may be none. */
  constructor(options: ConnectionOptions, isNew: boolean, ends: AttemptEnds) {
    this.#options = options;
    this.#isNew = isNew;
    this.#ends = ends;
  }

  /** What it tries to reach, once that is known. */
  get where(): string | undefined {
    return this.#where;
  }

  /** What is known of a server that does not answer. */
  get silence(): string {
    return this.#silence;
  }

  /** Ends it before its time. */
  abandon(why: Error): void {
    this.#over = true;
    this.#ended.reject(why);
  }

  /** Rejects with the driver's error, or a HoldfastError. */
  async establish(): Promise<Live> {
    const { time, connectTimeout } = this.#options;
    const timer = time.after(connectTimeout, () => this.abandon(noAnswer(connectTimeout, this.#silence)));
    try {
      return await Promise.race([this.#ended.promise, this.#connect()]);
    } catch (error) {
      this.#over = true;
      this.#wire?.close();
      throw error;
    } finally {
      timer.clear();
    }
  }

  async #connect(): Promise<Live> {
    const { dial, role } = this.#options;
    const ends = this.#ends;
    const to = await this.#options.endpoint();
    this.#goOn();
    this.#where = showEndpoint(to);
    const lost = deferred<never>();
    const wire = await dial(to, role, (why) => {
      if (this.#live) ends.lost(this.#live, why);
      else lost.reject(why);
    });
    this.#wire = wire;
    this.#goOn();
    const opened = Promise.race([lost.promise, wire.open().then(() => introduce(wire, role))]);
    // What has answered once is what it should be.
    if (this.#isNew) await understood(this.#options, to, opened, (what) => (this.#silence = what));
    else await opened;
    await Promise.race([lost.promise, this.#options.prepare?.(wire)]);
    this.#goOn();
    this.#live = ends.alive(wire);
    return this.#live;
  }

  /** Also what a driver has made too late is closed. */
  #goOn(): void {
    if (!this.#over) return;
    this.#wire?.close();
    throw new Error("abandoned");
  }
}
