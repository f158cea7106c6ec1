import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import type { Backend, Group, Operation, Outcome } from "../../../src/port/index.ts";

/* What the tests of the engine ask of a backend. */

export const record: Key = { space: space("state", "faults", "records"), key: "r" };
export const tag: Key = { space: space("stamp", "faults", "records"), key: "t" };
export const lock: Key = { space: space("lock", "faults", "locks"), key: "l" };

export async function ask(backend: Backend, group: Group, ms = 2_000): Promise<Outcome> {
  const call = { deadline: backend.time.monotonic() + ms, claim: () => true };
  const [outcome] = await backend.session().execute([group], call);
  return outcome as Outcome;
}

export const set = (key: Key, more: Partial<Operation & { op: "set" }> = {}): Operation & { op: "set" } => {
  return { op: "set", key, id: drawId(), value: "v", ...more };
};
export const floor = (grant: number, keepMs = 60_000): Operation => ({ op: "floor", key: record, grant, n: 0, keepMs });
export const acquire = (owner: string, ttl: number): Operation => {
  return { op: "acquire", lock, owner, mode: "exclusive", ttl, info: "" };
};
export const read = async (backend: Backend): Promise<Outcome> => ask(backend, { ops: [{ op: "get", key: record }] });
