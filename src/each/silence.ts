/** How often it is looked, in ms. */
const looking = 250;

/**
 * Calls back when nothing was heard of a process for too long. Time in which this process itself stood still does not
 * count.
 */
export class Silence {
  readonly #timer: NodeJS.Timeout;
  #silentMs = 0;

  constructor(toleratedMs: () => number, tooLong: (ms: number) => void) {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#silentMs += Math.min(now - last, 2 * looking);
      last = now;
      const most = toleratedMs();
      if (this.#silentMs <= most) return;
      this.end();
      tooLong(most);
    }, looking);
  }

  heard(): void {
    this.#silentMs = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
