import { LinkedList, type Linked } from "./linked-list.ts";

/** Something that a signal may end. It must not throw. */
export interface Abortable {
  abort(): void;
}

/** Something that waits for a signal. */
export class AbortWatch implements Linked<AbortWatch> {
  previous: AbortWatch | undefined = undefined;
  next: AbortWatch | undefined = undefined;
  readonly item: Abortable;
  #crowd: Crowd | undefined;

  constructor(crowd: Crowd, item: Abortable) {
    this.#crowd = crowd;
    this.item = item;
    crowd.append(this);
  }

  /** Takes it back: it is not told from now on. Harmless when it has been told. */
  end(): void {
    const crowd = this.#crowd;
    if (!crowd) return;
    this.#crowd = undefined;
    crowd.remove(this);
  }
}

/** All that waits for one signal, behind one listener. */
class Crowd extends LinkedList<AbortWatch> {
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super();
    this.#signal = signal;
    signal.addEventListener("abort", this.#tell, { once: true });
  }

  override remove(watch: AbortWatch): void {
    super.remove(watch);
    if (this.size > 0) return;
    this.#signal.removeEventListener("abort", this.#tell);
    if (crowds.get(this.#signal) === this) crowds.delete(this.#signal);
  }

  /** What is taken back by one of them is not told any more. */
  readonly #tell = (): void => {
    for (let watch = this.first; watch; watch = this.first) {
      watch.end();
      watch.item.abort();
    }
  };
}

/**
 * One listener a signal in this process, whoever waits for it: to add one takes longer the more there are, so that ten
 * thousand calls on one signal would block the process for half a second, and from the eleventh on Node warns of a
 * leak.
 */
const crowds = new WeakMap<AbortSignal, Crowd>();

/**
 * Has `item` told when the signal aborts, once, until the watch is ended. A signal that has aborted already tells
 * nobody.
 */
export function watchAbort(signal: AbortSignal, item: Abortable): AbortWatch {
  let crowd = crowds.get(signal);
  if (!crowd) crowds.set(signal, (crowd = new Crowd(signal)));
  return new AbortWatch(crowd, item);
}

/** The same for a function, and for a signal that may be missing. The function that it gives takes it back. */
export function onAbort(signal: AbortSignal | undefined, abort: () => void): () => void {
  if (!signal) return nothing;
  const watch = watchAbort(signal, { abort });
  return () => watch.end();
}

/** What `promise` comes to, unless the signal aborts first: then its reason. What was waited for goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    const watch = watchAbort(signal, { abort });
    const over = (): void => watch.end();
    promise.then(over, over);
    promise.then(resolve, reject);
  });
}

/** A signal that follows others until it is let go. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  /** It follows them no longer, and they no longer lead to it. */
  end(): void;
}

/**
 * A signal that aborts with the first of these. `AbortSignal.any` leaves a little behind on a signal that lives long,
 * for each one made of it; this leaves nothing once it is ended.
 */
export function joinSignals(one: AbortSignal, other: AbortSignal | undefined): JoinedSignal {
  if (!other) return { signal: one, end: nothing };
  const joined = new AbortController();
  const ends: (() => void)[] = [];
  const end = (): void => {
    for (const stop of ends.splice(0)) stop();
  };
  for (const signal of [one, other]) {
    const abort = (): void => {
      end();
      joined.abort(signal.reason);
    };
    if (signal.aborted) abort();
    else if (!joined.signal.aborted) ends.push(onAbort(signal, abort));
  }
  return { signal: joined.signal, end };
}

function nothing(): void {
  // There is nothing to take back.
}
