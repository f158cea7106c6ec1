import { Idle, type Idling } from "../../base/idle.ts";
import { keyId, type Key } from "../../base/keys.ts";
import type { Time, Timer } from "../../base/time.ts";
import type { LockOperation, LockState, Outcome } from "../../port/index.ts";

/** Shortest time between two looks at a lock, in ms. */
const shortest = 5;
/** How long after a look that failed the next one comes, in ms. */
const afterFailure = 1_000;

/** A lock that is looked at again. */
interface Watched extends Idling {
  readonly lock: Key;
  /** Owners of this session that wait, and when their claims end. */
  owners: Map<string, number>;
  /** Whether this session has passed it on, and looks whether that was taken. */
  passed: boolean;
  /** When it is to be looked at; Infinity if it is not. */
  at: number;
  timer: Timer | undefined;
  /** When the timer comes: then, or earlier. */
  timerAt: number;
}

/**
 * A Redis server does nothing by itself when a lease ends: somebody has to come for the lock to be passed on. Those who
 * wait do, when the hold they wait for has ended; and who passed a lock on does, when the claim of whom it was passed
 * to has.
 */
export class Passing {
  readonly #time: Time;
  readonly #look: (lock: Key) => void;
  readonly #watched = new Map<string, Watched>();
  /** Those that nobody waits for, with their timers: who wants a lock often waits for it again soon. */
  readonly #idle = new Idle<Watched>();
  #closed = false;

  /** `look` asks for the state of a lock, which passes it on, and ends in {@link learned} or {@link failed}. */
  constructor(time: Time, look: (lock: Key) => void) {
    this.#time = time;
    this.#look = look;
  }

  /** What a reply tells of a lock. */
  learned(op: LockOperation, outcome: Outcome, passedMs: number): void {
    if (this.#closed) return;
    if (!outcome.ok) {
      if (outcome.why === "held" && op.op === "acquire" && op.wait) {
        const watched = this.#watch(op.lock);
        watched.owners.set(op.owner, this.#time.monotonic() + op.wait.claimMs);
        this.#plan(watched, nextEnd(outcome.state));
      }
      if (passedMs > 0) this.#pass(op.lock, passedMs);
      return;
    }
    if (passedMs > 0) this.#pass(op.lock, passedMs);
    else if (this.#watched.size === 0) return;
    const watched = this.#watched.get(keyId(op.lock));
    if (watched === undefined) return;
    if (op.op === "acquire" || op.op === "release") {
      if (watched.owners.delete(op.owner) && watched.owners.size === 0 && !watched.passed) this.#rest(watched);
    } else if (op.op === "inspect") {
      const state = outcome.results[0] as LockState;
      if (watched.owners.size > 0) this.#plan(watched, nextEnd(state));
    }
  }

  /** A look has failed. */
  failed(lock: Key): void {
    const watched = this.#watched.get(keyId(lock));
    if (watched && !this.#closed) this.#plan(watched, afterFailure);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#watched.values()) timer?.clear();
    this.#watched.clear();
  }

  #watch(lock: Key): Watched {
    const id = keyId(lock);
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = {
        lock,
        owners: new Map(),
        passed: false,
        at: Infinity,
        timer: undefined,
        timerAt: Infinity,
        idle: false,
      };
      this.#watched.set(id, watched);
    }
    return watched;
  }

  #pass(lock: Key, passedMs: number): void {
    const watched = this.#watch(lock);
    watched.passed = true;
    this.#plan(watched, passedMs);
  }

  /** It need not be looked at. Its timer stays, for the next look is likely planned before it comes. */
  #rest(watched: Watched): void {
    watched.at = Infinity;
    // What comes and goes in one map for long would be kept by its old tables.
    watched.owners = new Map();
    const oldest = this.#idle.keep(watched);
    if (oldest) this.#prune(oldest);
  }

  #prune(watched: Watched): void {
    if (watched.at < Infinity || watched.owners.size > 0) return;
    watched.timer?.clear();
    watched.timer = undefined;
    this.#forget(watched);
  }

  #forget(watched: Watched): void {
    const id = keyId(watched.lock);
    if (this.#watched.get(id) === watched) this.#watched.delete(id);
  }

  /** The next look, unless an earlier one is planned. */
  #plan(watched: Watched, inMs: number): void {
    const now = this.#time.monotonic();
    const at = now + Math.max(inMs + 1, shortest);
    if (watched.at <= at) return;
    watched.at = at;
    if (watched.timer === undefined || watched.timerAt > at) this.#arm(watched, now);
  }

  #arm(watched: Watched, now: number): void {
    watched.timer?.clear();
    watched.timerAt = watched.at;
    watched.timer = this.#time.after(watched.at - now, () => this.#due(watched));
  }

  #due(watched: Watched): void {
    watched.timer = undefined;
    const now = this.#time.monotonic();
    if (watched.at > now && watched.at < Infinity) return this.#arm(watched, now);
    const looks = watched.at <= now;
    watched.at = Infinity;
    watched.passed = false;
    for (const [owner, until] of watched.owners) if (until <= now) watched.owners.delete(owner);
    // Whoever else is behind is looked after by the reply.
    if (watched.owners.size === 0) this.#forget(watched);
    if (looks) this.#look(watched.lock);
  }
}

/** When a hold ends by itself, as far as is known. */
function nextEnd({ holders }: LockState): number {
  let next = Infinity;
  for (const { remainingMs } of holders) if (remainingMs < next) next = remainingMs;
  return next === Infinity ? afterFailure : next;
}
