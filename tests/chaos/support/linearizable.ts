import type { RegisterAction, RegisterCall, RegisterOutcome } from "./history.ts";

/** The identity of the record's value, or null where it is absent. */
type State = string | null;

/** The state after a call that had this outcome, or undefined where it cannot have had it in `state`. */
function step(state: State, action: RegisterAction, outcome: RegisterOutcome): State | undefined {
  const { is } = outcome;
  if (is === "failed") return state;
  const found = is === "ok" ? outcome.found : undefined;
  switch (action.do) {
    case "load":
      return is === "unknown" || found === state ? state : undefined;
    case "save":
      return action.id;
    case "create":
      if (is === "conflict") return state === null ? undefined : state;
      return state === null ? action.id : is === "unknown" ? state : undefined;
    case "replace":
      if (is === "conflict") return state === action.expected ? undefined : state;
      return state === action.expected ? action.id : is === "unknown" ? state : undefined;
    case "update":
      // Others were ahead of it until its deadline.
      if (is === "conflict") return state;
      if (is === "absent") return state === null ? state : undefined;
      if (is === "unknown") return state === null ? state : action.id;
      return state !== null && found === state ? action.id : undefined;
    case "delete":
      if (is === "absent") return state === null ? state : undefined;
      return state === null && is !== "unknown" ? undefined : null;
  }
}

interface Node {
  readonly call: RegisterCall;
  readonly index: number;
  readonly end: bigint;
}

const never = 2n ** 62n;

/**
 * Whether the calls on ONE record can be put in an order, each at an instant between its start and its end, in which every
 * outcome is right. After Wing & Gong (1993) with the memory of visited configurations of Lowe (2017).
 * Returns undefined, or what stood in the way: the calls at the deepest point that was reached.
 */
export function findViolation(
  calls: readonly RegisterCall[],
  initial: State = null,
  final?: State,
): string | undefined {
  const nodes: Node[] = calls
    .filter((call) => !(call.action.do === "load" && call.outcome.is === "unknown") && call.outcome.is !== "failed")
    .sort((a, b) => (a.start < b.start ? -1 : 1))
    .map((call, index) => ({ call, index, end: call.outcome.is === "unknown" ? never : (call.end ?? never) }));
  const must = nodes.filter((node) => node.end !== never).length;
  const seen = new Set<string>();
  /** Calls before `low` are all done; `extra` are done beyond it. */
  const stack: { low: number; extra: readonly number[]; state: State; done: number }[] = [
    { low: 0, extra: [], state: initial, done: 0 },
  ];
  let deepest = { done: -1, low: 0, state: initial, candidates: [] as Node[] };

  while (stack.length > 0) {
    const here = stack.pop() as (typeof stack)[number];
    if (here.done === must && (final === undefined || final === here.state || reaches(nodes, here, final)))
      return undefined;
    const extra = new Set(here.extra);
    // Whatever started before the first end among the open calls may be next.
    let firstEnd = never;
    const candidates: Node[] = [];
    for (let i = here.low; i < nodes.length; i++) {
      const node = nodes[i] as Node;
      if (extra.has(i)) continue;
      if (node.call.start > firstEnd) break;
      candidates.push(node);
      if (node.end < firstEnd) firstEnd = node.end;
    }
    if (here.done > deepest.done) deepest = { done: here.done, low: here.low, state: here.state, candidates };
    // Calls of unknown outcome are tried last: the stack takes the last one pushed first.
    const ordered = candidates
      .filter((node) => node.end === never)
      .concat(candidates.filter((node) => node.end !== never).reverse());
    for (const node of ordered) {
      if (node.call.start > firstEnd) continue;
      const state = step(here.state, node.call.action, node.call.outcome);
      if (state === undefined) continue;
      const unknown = node.end === never;
      if (unknown && state === here.state) continue; // no effect: the same as never
      extra.add(node.index);
      let low = here.low;
      while (extra.has(low)) low++;
      const rest = [...extra].filter((index) => index >= low).sort((a, b) => a - b);
      extra.delete(node.index);
      const id = `${low}|${rest.join(",")}|${state ?? ""}`;
      if (seen.has(id)) continue;
      seen.add(id);
      stack.push({ low, extra: rest, state, done: here.done + (unknown ? 0 : 1) });
    }
  }
  return describe(deepest, must);
}

/** Whether calls of unknown outcome, which may take effect at any time, lead to the final state. */
function reaches(
  nodes: readonly Node[],
  here: { readonly low: number; readonly extra: readonly number[] },
  final: State,
): boolean {
  const done = new Set(here.extra);
  return nodes.some((node) => {
    if (node.end !== never || node.index < here.low || done.has(node.index)) return false;
    const { action } = node.call;
    return final === null ? action.do === "delete" : "id" in action && action.id === final;
  });
}

function describe(at: { done: number; state: State; candidates: readonly Node[] }, must: number): string {
  const shown = at.candidates
    .slice(0, 8)
    .map((node) => `${JSON.stringify(node.call.action)} -> ${JSON.stringify(node.call.outcome)}`);
  return `after ${at.done} of ${must} calls the record is ${at.state ?? "absent"}, and none of these fits: ${shown.join("; ")}`;
}
