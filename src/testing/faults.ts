import { keyId, type Key } from "../base/keys.ts";
import type { Granted, Group, LockState, Operation, Outcome, Result } from "../port/index.ts";
import type { Fault, Next } from "./misbehave.ts";

/** Makes each fault anew. Every one is a mistake that a real backend or lock library was seen to make, or could. */
export const faults: readonly (() => Fault)[] = [
  losesWrites,
  halfGroups,
  servesStaleReads,
  grantsTwoHolders,
  repeatsGrants,
  forgetsReplays,
  servesNewestFirst,
  keepsGhosts,
  () => change("ignores conditions", withoutCondition),
  () => ({ name: "accepts a late guarded write", group: async (group, next) => next({ ops: group.ops }) }),
  () => ({ name: "reads the state after the group", group: readsLast }),
  () => ({ name: "answers in another order", outcomes: (outcomes) => outcomes.toReversed() }),
  () => ({ name: "sends what was given up", ignoresClaims: true }),
  () => ({ name: "drops grants", tells: (signal) => signal.type !== "granted" }),
  () => ({ name: "drops changes", tells: (signal) => signal.type !== "changed" }),
  () => ({ name: "drops messages", tells: (signal) => signal.type !== "message" }),
  () => ({
    name: "leaves a record out of each page",
    page: (page) => ({ ...page, records: page.cursor === undefined ? page.records : page.records.slice(1) }),
  }),
  () => ({
    name: "fills pages beyond their limit",
    page: (page) => ({ ...page, records: [...page.records, ...page.records] }),
  }),
  () => change("never lets a record expire", (op) => (op.op === "set" ? { ...op, ttl: undefined } : op)),
  () =>
    change("forgets the ttl to keep", (op) => (op.op === "set" && op.ttl === "keep" ? { ...op, ttl: undefined } : op)),
  () => change("ends leases late", (op) => ("ttl" in op && op.op === "acquire" ? { ...op, ttl: op.ttl * 10 } : op)),
  () => change("ends leases early", (op) => (op.op === "acquire" ? { ...op, ttl: 1 } : op)),
  () => change("forgets who waits", (op) => (op.op === "acquire" ? { ...op, wait: undefined } : op)),
  () => change("ignores stamps", (op) => (op.op === "get" ? { op: "get", key: op.key } : op)),
  () =>
    change("forgets floors", (op) =>
      op.op === "floor" ? { op: "floor", key: op.key, grant: 0, n: 0, keepMs: 1 } : op,
    ),
  () => change("compares half of a fence", (op) => (op.op === "floor" ? { ...op, n: 0 } : op)),
  () => change("ignores marks", (op) => (op.op === "release" ? { op: "release", lock: op.lock, owner: op.owner } : op)),
  () => change("raises nothing", (op) => (op.op === "extend" ? { ...op, raise: undefined } : op)),
  () => change("steals nothing", (op) => (op.op === "steal" ? { op: "inspect", lock: op.lock } : op)),
  () => change("ignores the limit", (op) => (op.op === "acquire" ? { ...op, limit: undefined } : op)),
  () => change("takes readers for writers", (op) => (op.op === "acquire" ? { ...op, mode: "exclusive" } : op)),
  () => change("folds the case of keys", (op) => ("key" in op ? { ...op, key: folded(op.key) } : op)),
  () =>
    change("trims versions", (op) =>
      op.op === "check" && "id" in op.if ? { ...op, if: { id: op.if.id.trim() } } : op,
    ),
  () => change("takes bytes for text", (op) => (op.op === "set" ? { ...op, value: String(op.value) } : op)),
];

function change(name: string, operation: (op: Operation) => Operation): Fault {
  return { name, operation };
}

function withoutCondition(op: Operation): Operation {
  if (op.op === "check") return { op: "get", key: op.key };
  if (op.op === "set") return { ...op, if: undefined };
  return op.op === "delete" ? { op: "delete", key: op.key } : op;
}

function folded(key: Key): Key {
  return { space: key.space, key: key.key.toLowerCase() };
}

/** Acknowledges a write without doing it, now and then. */
function losesWrites(): Fault {
  let writes = 0;
  return {
    name: "loses an acknowledged write",
    async group(group, next) {
      const [op] = group.ops;
      const lost = group.ops.length === 1 && op?.op === "set" && op.if === undefined && ++writes % 5 === 0;
      return lost ? { ok: true, results: [undefined] } : next(group);
    },
  };
}

/** Runs the operations of a group one by one, as a script that fails midway does. */
function halfGroups(): Fault {
  return {
    name: "applies half of a refused group",
    async group(group, next) {
      const results: Result[] = [];
      for (const [at, op] of group.ops.entries()) {
        const outcome = await next({ guards: group.guards, ops: [op] });
        if (!outcome.ok) return "at" in outcome && outcome.at >= 0 ? { ...outcome, at } : outcome;
        results.push(outcome.results[0]);
      }
      return { ok: true, results };
    },
  };
}

/** Answers a read with what the read before it found. */
function servesStaleReads(): Fault {
  const seen = new Map<string, Result>();
  return {
    name: "serves stale reads",
    async group(group, next) {
      const outcome = await next(group);
      const [op] = group.ops;
      if (!outcome.ok || group.ops.length !== 1 || op?.op !== "get") return outcome;
      const id = keyId(op.key);
      const before = seen.has(id) ? seen.get(id) : outcome.results[0];
      seen.set(id, outcome.results[0]);
      return { ok: true, results: [before] };
    },
  };
}

/** Grants a lock that is held. */
function grantsTwoHolders(): Fault {
  return {
    name: "grants two holders",
    async group(group, next) {
      const outcome = await next(group);
      if (outcome.ok || outcome.why !== "held" || group.ops.length > 1) return outcome;
      return { ok: true, results: [{ grant: (outcome.state.holders[0]?.grant ?? 0) + 1 }] };
    },
  };
}

/** Gives every holder of a lock the grant that the first one had. */
function repeatsGrants(): Fault {
  const first = new Map<string, number>();
  const real = new Map<string, number>();
  return {
    name: "gives a grant twice",
    async group(group, next) {
      const grantOf = (lock: Key, owner: string, grant: number): number =>
        grant === first.get(keyId(lock)) ? (real.get(keyId(lock) + owner) ?? grant) : grant;
      const outcome = await next({
        guards: group.guards?.map((guard) => ({ ...guard, grant: grantOf(guard.lock, guard.owner, guard.grant) })),
        ops: group.ops.map((op) => (op.op === "extend" ? { ...op, grant: grantOf(op.lock, op.owner, op.grant) } : op)),
      });
      if (!outcome.ok) return outcome;
      const results = outcome.results.map((result, i) => {
        const op = group.ops[i];
        if (op?.op !== "acquire") return result;
        const { grant } = result as Granted;
        real.set(keyId(op.lock) + op.owner, grant);
        if (!first.has(keyId(op.lock))) first.set(keyId(op.lock), grant);
        return { grant: first.get(keyId(op.lock)) as number };
      });
      return { ok: true, results };
    },
  };
}

/** Takes a repeated acquire for a new one. */
function forgetsReplays(): Fault {
  return {
    name: "takes a repeated acquire for a new one",
    async group(group, next) {
      const [op] = group.ops;
      if (group.ops.length !== 1 || op?.op !== "acquire") return next(group);
      const { holders } = await inspect(op.lock, next);
      if (holders.some(({ owner }) => owner === op.owner)) {
        await next({ ops: [{ op: "release", lock: op.lock, owner: op.owner }] });
      }
      return next(group);
    },
  };
}

/** Turns the queue around whenever somebody joins it. */
function servesNewestFirst(): Fault {
  const waiting = new Map<string, { readonly group: Group; readonly next: Next; readonly owner: string }[]>();
  return {
    name: "serves the newest waiter first",
    async group(group, next) {
      const outcome = await next(group);
      const [op] = group.ops;
      if (outcome.ok || outcome.why !== "held" || op?.op !== "acquire" || !op.wait) return outcome;
      const before = waiting.get(keyId(op.lock)) ?? [];
      if (before.some(({ owner }) => owner === op.owner)) return outcome;
      waiting.set(keyId(op.lock), [{ group, next, owner: op.owner }, ...before]);
      for (const one of before) {
        await one.next({ ops: [{ op: "release", lock: op.lock, owner: one.owner }] });
        await one.next(one.group);
      }
      return outcome;
    },
  };
}

/** Leaves a waiter that gave up in the queue. */
function keepsGhosts(): Fault {
  return {
    name: "keeps waiters that gave up",
    async group(group, next) {
      const [op] = group.ops;
      if (group.ops.length !== 1 || op?.op !== "release") return next(group);
      const { holders } = await inspect(op.lock, next);
      if (op.markMs !== undefined || holders.some(({ owner }) => owner === op.owner)) return next(group);
      return { ok: true, results: [false] };
    },
  };
}

async function readsLast(group: Group, next: Next): Promise<Outcome> {
  const writes = group.ops.filter((op) => op.op !== "get");
  if (writes.length === group.ops.length || writes.length === 0) return next(group);
  const written = await next({ guards: group.guards, ops: writes });
  if (!written.ok) return written;
  const results: Result[] = [];
  for (const op of group.ops) {
    const read = op.op === "get" ? await next({ ops: [op] }) : undefined;
    results.push(read?.ok ? read.results[0] : written.results[writes.indexOf(op as (typeof writes)[0])]);
  }
  return { ok: true, results };
}

async function inspect(lock: Key, next: Next): Promise<LockState> {
  const outcome = await next({ ops: [{ op: "inspect", lock }] });
  return outcome.ok ? (outcome.results[0] as LockState) : { holders: [], waiting: 0 };
}
