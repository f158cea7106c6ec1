import { UnsupportedError } from "../../src/base/errors.ts";
import { tagOf } from "../../src/base/tags.ts";
import type { Backend, ExecuteCall, Group, Outcome, Session } from "../../src/port/index.ts";

/** A backend that keeps each tag in a place of its own, as a cluster does: a group of several is refused. */
export function slottedBackend(backend: Backend): Backend {
  return {
    name: "slotted",
    time: backend.time,
    async open() {
      const opened = await backend.open();
      return { ...opened, capabilities: { ...opened.capabilities, transact: "slot" } };
    },
    session: () => slotted(backend.session()),
    close: async () => backend.close(),
  };
}

function slotted(session: Session): Session {
  return {
    id: session.id,
    async execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]> {
      const outcomes = await Promise.all(
        groups.map(async (group, i): Promise<readonly Outcome[]> => {
          const error = refusal(group);
          if (error) return [{ ok: false, why: "failed", sent: false, error }];
          return session.execute([group], { deadline: call.deadline, claim: () => call.claim(i) });
        }),
      );
      return outcomes.flat();
    },
    page: async (query, call) => session.page(query, call),
    ...(session.signals && { signals: session.signals }),
    close: async () => session.close(),
  };
}

function refusal({ guards = [], ops }: Group): UnsupportedError | undefined {
  const keys = [...guards.map(({ lock }) => lock), ...ops.map((op) => ("key" in op ? op.key : op.lock))];
  if (new Set(keys.map(({ key }) => tagOf(key))).size < 2) return undefined;
  return new UnsupportedError("keys of several tags in one group", { backend: "slotted" });
}
