/** The fields of the shared memory. */
const shutAt = 0;
const busyAt = 1;

/** How long an exit waits for the commit under way, in ms. */
const patience = 5_000;

/**
 * Keeps the process from ending in the middle of a transaction. A thread that is stopped there locks itself out while
 * it closes the data file: the process would never end, and every other one would wait for the lock it has.
 */
export class Gate {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(memory = new SharedArrayBuffer(8)) {
    this.memory = memory;
    this.#fields = new Int32Array(memory);
  }

  /** The commit thread is about to begin; `false` if it must not. */
  enter(): boolean {
    Atomics.store(this.#fields, busyAt, 1);
    if (Atomics.load(this.#fields, shutAt) === 0) return true;
    this.leave();
    return false;
  }

  /** The commit thread is done. */
  leave(): void {
    Atomics.store(this.#fields, busyAt, 0);
    Atomics.notify(this.#fields, busyAt);
  }

  /** Does what begins transactions, unless the process is about to end. */
  run(body: () => void): void {
    if (!this.enter()) return;
    try {
      body();
    } finally {
      this.leave();
    }
  }

  /** Lets no transaction begin any more, and waits for the one under way; `false` if that does not end. */
  shut(): boolean {
    Atomics.store(this.#fields, shutAt, 1);
    return Atomics.wait(this.#fields, busyAt, 1, patience) !== "timed-out";
  }
}

const gates = new Set<Gate>();

function shutAll(): void {
  for (const gate of gates) {
    // It waits for a process that was stopped inside its own commit. Killed, it leaves nothing behind; stopped it would
    // take the lock once it gets it, and keep it for good.
    if (!gate.shut()) process.kill(process.pid, "SIGKILL");
  }
}

/** Has the exit of the process wait for this gate, until the function returned is called. */
export function guardExit(gate: Gate): () => void {
  if (gates.size === 0) process.on("exit", shutAll);
  gates.add(gate);
  return () => {
    gates.delete(gate);
    if (gates.size === 0) process.off("exit", shutAll);
  };
}
