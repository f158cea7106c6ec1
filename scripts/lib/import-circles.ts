/** The files that each file imports, types included. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/**
 * The circles of a graph: every set of files each of which reaches all others of it (a strongly connected component of two
 * files or more, or a file that imports itself). The files of a circle are sorted, and so are the circles.
 */
export function circlesOf(graph: ImportGraph): string[][] {
  const reachable = new Map([...graph.keys()].map((file) => [file, reachableFrom(graph, file)]));
  const circles: string[][] = [];
  const placed = new Set<string>();
  for (const file of [...graph.keys()].toSorted()) {
    if (placed.has(file) || !reachable.get(file)?.has(file)) continue;
    const circle = [...graph.keys()].filter(
      (other) => reachable.get(file)?.has(other) && reachable.get(other)?.has(file),
    );
    for (const one of circle) placed.add(one);
    circles.push(circle.toSorted());
  }
  return circles;
}

/** The shortest way from a file back to itself, the file at both ends. */
export function wayAround(graph: ImportGraph, start: string): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const next of graph.get(file) ?? []) {
      if (next === start) return [...wayTo(cameFrom, start, file), start];
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  throw new Error(`${start} is in no circle`);
}

function wayTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const way = [end];
  for (let file = end; file !== start;) way.unshift((file = cameFrom.get(file) as string));
  return way;
}

/** The files that a file reaches by one import or more; itself only where it is in a circle. */
function reachableFrom(graph: ImportGraph, start: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...(graph.get(start) ?? [])];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    open.push(...(graph.get(file) ?? []));
  }
  return reached;
}
