/** One way of doing the same work: called with the number of operations to do. */
export interface Contender {
  readonly name: string;
  readonly run: (operations: number) => Promise<void> | void;
}

export interface Figure {
  readonly name: string;
  /** Median over the rounds. */
  readonly opsPerSecond: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

interface Rounds {
  readonly operations: number;
  readonly rounds?: number;
}

/**
 * Runs the contenders in turn, round after round, so that a change of the machine's speed meets them all. The first round warms
 * up. Ratios are the median of the ratios round by round.
 */
export async function compare(title: string, contenders: readonly Contender[], options: Rounds): Promise<Figure[]> {
  return report(title, contenders, options.operations, await timed(contenders, options));
}

/** Seconds of each contender, round by round. */
export async function timed(
  contenders: readonly Contender[],
  { operations, rounds = 7 }: Rounds,
): Promise<readonly number[][]> {
  const seconds = contenders.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      globalThis.gc?.();
      const start = performance.now();
      await contender.run(operations);
      if (round > 0) (seconds[i] as number[]).push((performance.now() - start) / 1000);
    }
  }
  return seconds;
}

/** Prints what {@link timed} gave, the first contender beside the others. */
export function report(
  title: string,
  contenders: readonly { readonly name: string }[],
  operations: number,
  seconds: readonly (readonly number[])[],
): Figure[] {
  const [own] = seconds as [readonly number[]];
  console.log(`\n${title}`);
  return contenders.map(({ name }, i) => {
    const times = seconds[i] as readonly number[];
    const opsPerSecond = operations / median(times);
    const ratios = times.map((time, round) => time / (own[round] as number)).toSorted((a, b) => a - b);
    const [least, most] = [ratios[0], ratios.at(-1)] as [number, number];
    const range = `(${least.toFixed(2)}x to ${most.toFixed(2)}x)`;
    const beside = i === 0 ? "" : `   ${contenders[0]?.name} is ${median(ratios).toFixed(2)}x of it ${range}`;
    console.log(`  ${name.padEnd(44)} ${format(opsPerSecond).padStart(9)}/s${beside}`);
    return { name, opsPerSecond };
  });
}

/** Runs `each` so that `inFlight` are on their way at any time. */
export async function inFlight(
  operations: number,
  width: number,
  each: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < operations) await each(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/**
 * The longest turn of the event loop while `run` goes on, in ms, without the turn in which it starts. A turn that follows the last one
 * tells it exactly; a timer of one millisecond would tell it to within one.
 */
export async function longestTurn(run: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = Infinity;
  const tick = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    next = setImmediate(tick);
  };
  let next = setImmediate(tick);
  await run();
  clearImmediate(next);
  return longest;
}

export function format(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(1);
}

/** An order of about one kilobyte. */
export const order = {
  id: "order-4711",
  customer: {
    name: "Ann Example",
    email: "ann@example.org",
    address: { street: "1 Long Road", city: "Somewhere", zip: "12345" },
  },
  lines: Array.from({ length: 8 }, (_, i) => ({
    sku: `sku-${i}`,
    title: `A thing of kind ${i}`,
    quantity: i + 1,
    price: 9.95 * (i + 1),
    taxed: i % 2 === 0,
  })),
  notes: "leave it at the door",
  paid: false,
  createdAt: "2026-01-01T00:00:00.000Z",
};
