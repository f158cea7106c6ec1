import { deferred } from "../base/async.ts";
import type { Key } from "../base/keys.ts";
import type { LockState } from "../port/index.ts";
import { Campaign } from "./campaign.ts";
import type { Ask, Candidate, Won } from "./candidate.ts";
import type { LockHost } from "./host.ts";

/** The result of a {@link Single}: granted, or the state that came with the last refusal. */
export type SingleResult = { readonly won: Won } | { readonly won: undefined; readonly state: LockState | undefined };

/** A campaign for one lock on behalf of one caller, under an owner that the caller chose. */
export class Single implements Candidate {
  wanted = true;
  readonly #ask: Ask;
  readonly #campaign: Campaign;
  readonly #result = deferred<SingleResult>();
  #state: LockState | undefined;
  /** Why the store could not be asked last, if it could not. */
  #trouble: { readonly error: unknown } | undefined;

  constructor(host: LockHost, lock: Key, owner: string, ask: Ask) {
    this.#ask = ask;
    this.#campaign = new Campaign(host, lock, this, owner);
  }

  /** Asks, and waits if the terms say so. Rejects if the store could not be asked. */
  run(): Promise<SingleResult> {
    this.#campaign.start();
    return this.#result.promise;
  }

  /** Gives up. A grant that arrives later is released. */
  stop(): void {
    this.wanted = false;
    if (this.#trouble) this.#result.reject(this.#trouble.error);
    else this.#result.resolve({ won: undefined, state: this.#state });
    this.#campaign.quit();
  }

  ask(): Ask {
    return this.#ask;
  }

  won(won: Won): void {
    this.wanted = false;
    this.#result.resolve({ won });
  }

  refused(state: LockState, ask: Ask): void {
    this.#state = state;
    this.#trouble = undefined;
    if (ask.waits) return;
    this.wanted = false;
    this.#result.resolve({ won: undefined, state });
  }

  troubled(error: unknown): void {
    this.#trouble = { error };
  }

  failed(error: unknown): void {
    this.wanted = false;
    this.#result.reject(error);
  }

  late(error: Error): void {
    this.failed(error);
  }

  left(): void {
    this.#result.resolve({ won: undefined, state: this.#state });
  }
}
