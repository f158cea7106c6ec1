import { keyId } from "../../src/base/keys.ts";
import { UnsupportedError } from "../../src/base/errors.ts";
import type { Backend, Capabilities, ExecuteCall, Group, Outcome, Page, Session } from "../../src/port/index.ts";

/** What is taken away: all that a server may be without and still serve single records and locks. */
const less: Partial<Capabilities> = {
  guard: "none",
  transact: "none",
  push: false,
  watch: "none",
  list: false,
  shared: "network",
  maxGroup: 8,
};

/**
 * A backend that declares less than it could and refuses the rest, so that the refusals of undeclared capabilities are tested
 * before there is a server that needs them.
 */
export function limitedBackend(backend: Backend): Backend {
  return {
    name: "limited",
    time: backend.time,
    async open() {
      const opened = await backend.open();
      return { ...opened, capabilities: { ...opened.capabilities, ...less } };
    },
    session: () => new LimitedSession(backend.session()),
    close: async () => backend.close(),
  };
}

class LimitedSession implements Session {
  readonly id: string;
  readonly #session: Session;

  constructor(session: Session) {
    this.id = session.id;
    this.#session = session;
  }

  async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
    const outcomes = await Promise.all(
      groups.map(async (group, i): Promise<readonly Outcome[]> => {
        const error = refusal(group);
        if (error) return [{ ok: false, why: "failed", sent: false, error }];
        return this.#session.execute([group], { deadline: call.deadline, claim: () => call.claim(i) });
      }),
    );
    return outcomes.flat();
  }

  async page(): Promise<Page> {
    throw new UnsupportedError("limited cannot list", { backend: "limited" });
  }

  async close(): Promise<void> {
    return this.#session.close();
  }
}

function refusal(group: Group): UnsupportedError | undefined {
  const keys = new Set(group.ops.map((op) => keyId("key" in op ? op.key : op.lock)));
  const context = { backend: "limited" };
  if ((group.guards?.length ?? 0) > 0) return new UnsupportedError("limited has no guards", context);
  if (group.ops.some((op) => op.op === "floor")) return new UnsupportedError("limited keeps no fences", context);
  return keys.size > 1 ? new UnsupportedError("limited writes single records only", context) : undefined;
}
