/** Notes when the event loop stood still: a handler blocked it, or the process was paused. */
export class Pulse {
  readonly #toleratedMs: number;
  #last = performance.now();
  #stoodStill = -Infinity;

  constructor(toleratedMs: number) {
    this.#toleratedMs = toleratedMs;
  }

  /** To be called all the time. */
  beat(): void {
    const now = performance.now();
    if (now - this.#last > this.#toleratedMs) this.#stoodStill = now;
    this.#last = now;
  }

  /** When it last went on after it had stood still for longer than is tolerated; -Infinity if it has not. Monotonic, in ms. */
  get stoodStill(): number {
    this.beat();
    return this.#stoodStill;
  }
}
