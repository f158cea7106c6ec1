/**
 * Starts one of each kind when it is first asked for: what a test file shares. It ends with the process, and keeps its data,
 * as a backend asks of a server. Use a prefix of your own.
 */
export function sharing<Kind, T>(start: (kind: Kind) => Promise<T>): (kind: Kind) => Promise<T> {
  const started = new Map<Kind, Promise<T>>();
  return async (kind) => {
    const known = started.get(kind);
    if (known) return known;
    const starting = start(kind);
    started.set(kind, starting);
    return starting;
  };
}
