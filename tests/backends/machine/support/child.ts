import { drawId } from "../../../../src/base/ids.ts";
import type { Group, Key, Outcome, StoredRecord, Subscription } from "../../../../src/port/index.ts";
import { backendAt } from "./kinds.ts";

/*
 * A process of its own on the data whose URL it is given. It does what its parent asks, and tells the outcome and every signal.
 */
export type Request =
  | { readonly do: "open" }
  | { readonly do: "execute"; readonly group: Group; readonly timeout?: number }
  /** Adds 1 to a record `times` times, each a read and a conditional write, tried again on a conflict. */
  | { readonly do: "count"; readonly key: Key; readonly times: number }
  /** Writes a pair of records in one group, forever, each time a higher number into both. */
  | { readonly do: "pairs"; readonly keys: readonly [Key, Key] }
  | { readonly do: "subscribe"; readonly to: Subscription }
  | { readonly do: "publish"; readonly topic: string; readonly body: string }
  | { readonly do: "pid" }
  | { readonly do: "close" };

const backend = await backendAt(process.argv[2] as string);
const session = backend.session();

async function execute(group: Group, timeout = 20_000): Promise<Outcome> {
  const [outcome] = await session.execute([group], { deadline: performance.now() + timeout, claim: () => true });
  return outcome as Outcome;
}

async function count(key: Key, times: number): Promise<number> {
  let conflicts = 0;
  for (let done = 0; done < times;) {
    const read = await execute({ ops: [{ op: "get", key }] });
    const old = read.ok ? (read.results[0] as StoredRecord | undefined) : undefined;
    const value = String(Number(old?.value ?? 0) + 1);
    const wanted = old ? { id: old.id } : ({ absent: true } as const);
    const outcome = await execute({ ops: [{ op: "set", key, id: drawId(), value, if: wanted }] });
    if (outcome.ok) done++;
    else if (outcome.why === "conflict") conflicts++;
    else throw new Error(`unexpected outcome: ${outcome.why}`);
  }
  return conflicts;
}

async function pairs([a, b]: readonly [Key, Key]): Promise<never> {
  for (let n = 1; ; n++) {
    const set = (key: Key) => ({ op: "set", key, id: drawId(), value: `${n} ${"x".repeat(3_000)}` }) as const;
    const outcome = await execute({ ops: [set(a), set(b)] });
    if (outcome.ok) process.send?.({ acknowledged: n });
  }
}

async function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case "open":
      return (await backend.open()).domain;
    case "execute":
      return plain(await execute(request.group, request.timeout));
    case "count":
      return count(request.key, request.times);
    case "pairs":
      return pairs(request.keys);
    case "subscribe":
      await session.signals?.subscribe(request.to, (signal) => process.send?.({ signal, at: process.hrtime.bigint() }));
      return true;
    case "publish":
      await session.signals?.publish(request.topic, request.body);
      return true;
    case "pid":
      return process.pid;
    case "close":
      await backend.close();
      process.disconnect();
      return true;
  }
}

/** Errors lose their kind on the way, so only what they say is sent. */
function plain(outcome: Outcome): unknown {
  if (outcome.ok || outcome.why !== "failed") return outcome;
  return { ...outcome, error: { name: outcome.error.name, message: outcome.error.message } };
}

process.on("message", ({ id, request }: { id: number; request: Request }) => {
  answer(request).then(
    (result) => process.connected && process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: `${error.name}: ${error.message}` }),
  );
});
