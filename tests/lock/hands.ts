import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { Instance } from "../../src/client/index.ts";
import { Lock } from "../../src/lock/index.ts";
import type { Backend, Operation, Outcome, Session, Signals } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";

interface Hands {
  /** Runs before a reply is told. */
  readonly answered?: (outcomes: readonly Outcome[]) => Promise<void>;
  /** Runs before a request is sent. */
  readonly asked?: (ops: readonly Operation[]) => void;
  /** Whether requests cannot be sent. */
  readonly away?: () => boolean;
}

/** A server, and an instance on it whose signals and requests are in the test's hands. */
export function setUp(signals: (own: Signals) => Signals, { answered, asked, away }: Hands = {}) {
  const time = virtualTime();
  const server = new MemoryServer({ time });
  const backend = memoryBackend({ server });
  const handled: Backend = {
    name: backend.name,
    time,
    open: async () => backend.open(),
    close: async () => backend.close(),
    session(): Session {
      const session = backend.session();
      return {
        id: session.id,
        signals: signals(session.signals as Signals),
        async execute(groups, call) {
          if (away?.()) return groups.map(() => ({ ok: false, why: "failed", sent: false, error: new Error("away") }));
          for (const { ops } of groups) asked?.(ops);
          const outcomes = await session.execute(groups, call);
          await answered?.(outcomes);
          return outcomes;
        },
        page: async (query, call) => session.page(query, call),
        close: async () => session.close(),
      };
    },
  };
  const instance = new Instance(handled);
  return {
    time,
    instance,
    lock: new Lock(instance, "locks"),
    other: new Lock(new Instance(memoryBackend({ server })), "locks"),
  };
}
