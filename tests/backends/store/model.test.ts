import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { systemTime, type Time } from "../../../src/base/time.ts";
import { decide } from "../../../src/backends/common/decide.ts";
import { StoreError, storeBackend } from "../../../src/backends/store/index.ts";
import type { Condition, Group, Guard, Operation, Outcome, Session } from "../../../src/port/index.ts";
import { MapView } from "../common/support/map-view.ts";
import { CellServer, type MemoryStoreOptions } from "./memory-store.ts";

/** Numbers from 0 up to `below`, the same ones for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const records = ["a", "b", "c"].map((key): Key => ({ space: space("state", "model", "records"), key }));
const locks = ["k", "l"].map((key): Key => ({ space: space("lock", "model", "locks"), key }));
const owners = ["one", "two", "three"];

/** Random groups that a backend must take: of one key, or of several. */
class Asking {
  readonly #roll: (below: number) => number;
  readonly #several: boolean;
  readonly #ids: string[] = [];
  /** Grants that were seen, by lock and owner. */
  readonly grants = new Map<string, number>();

  constructor(roll: (below: number) => number, several: boolean) {
    this.#roll = roll;
    this.#several = several;
  }

  group(): Group {
    if (!this.#several)
      return { ops: this.#roll(2) === 0 ? this.#onRecord(this.#one(records)) : [this.#onLock(this.#one(locks), true)] };
    const some = records.filter(() => this.#roll(2) === 0);
    const held = locks.filter(() => this.#roll(3) === 0);
    const ops = [...some.flatMap((key) => this.#onRecord(key)), ...held.map((lock) => this.#onLock(lock, false))];
    if (ops.length === 0) return { ops: [this.#onLock(this.#one(locks), true)] };
    const guards = locks.filter((lock) => !held.includes(lock) && this.#roll(4) === 0).map((lock) => this.#guard(lock));
    return { guards, ops };
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#roll(of.length)] as T;
  }

  #ttl(): number | { at: number } | undefined {
    return [undefined, 5, 20, 40][this.#roll(4)];
  }

  #condition(): Condition | undefined {
    return [undefined, undefined, { absent: true } as const, { id: this.#one(this.#ids) ?? "none" }][this.#roll(4)];
  }

  #onRecord(key: Key): Operation[] {
    const id = drawId();
    const stamped = this.#several && this.#roll(3) === 0;
    const stamps =
      this.#several && this.#roll(3) === 0
        ? [{ key: records[0] as Key, id: this.#one(this.#ids) ?? "none" }]
        : undefined;
    const floor: Operation = { op: "floor", key, grant: this.#roll(3), n: this.#roll(3), keepMs: 30 };
    switch (this.#roll(8)) {
      case 0:
        return [{ op: "get", key, stamped: stamped && "show" }];
      case 1:
        return [{ op: "touch", key, ttl: this.#ttl(), if: this.#condition(), stamped }];
      case 2:
        return [{ op: "delete", key, if: this.#condition() }];
      case 3:
        return [{ op: "check", key, if: this.#condition() ?? { absent: true } }];
      case 4:
        return [floor];
      default: {
        this.#ids.push(id);
        const value = this.#roll(2) === 0 ? id : new TextEncoder().encode(id);
        const ttl = this.#roll(4) === 0 ? "keep" : this.#ttl();
        const set: Operation = { op: "set", key, id, value, ttl, if: this.#condition(), stamps };
        return this.#roll(4) === 0 ? [floor, set] : [set];
      }
    }
  }

  #guard(lock: Key): Guard {
    const owner = this.#one(owners);
    return { lock, owner, grant: this.grants.get(lock.key + owner) ?? 1 };
  }

  #onLock(lock: Key, alone: boolean): Operation {
    const { owner, grant } = this.#guard(lock);
    const mode = this.#roll(3) === 0 ? "shared" : "exclusive";
    switch (this.#roll(7)) {
      case 0:
        return { op: "extend", lock, owner, grant, ttl: 20, raise: this.#roll(2) === 0 ? grant + 5 : undefined };
      case 1:
        return { op: "inspect", lock };
      case 2:
        return { op: "steal", lock, owner: this.#roll(2) === 0 ? owner : undefined };
      case 3:
      case 4:
        return { op: "release", lock, owner, markMs: this.#roll(4) === 0 ? 10 : undefined };
      default: {
        const wait = alone && this.#roll(2) === 0 ? { wait: { claimMs: 15 } } : {};
        return {
          op: "acquire",
          lock,
          owner,
          mode,
          limit: mode === "shared" ? 2 : undefined,
          ttl: 20,
          info: "i",
          ...wait,
        };
      }
    }
  }
}

const rounds = Number(process.env["ROUNDS"] ?? 1_000);
const kinds: readonly (MemoryStoreOptions & { readonly called: string })[] = [
  { called: "one cell, the process' clock", atomic: "one", clock: "client", timed: true },
  { called: "one cell, the server's clock", atomic: "one", clock: "server" },
  { called: "any cells, the process' clock", atomic: "any", clock: "client", timed: true },
  { called: "any cells, the server's clock", atomic: "any", clock: "server" },
  { called: "any cells, no revisions told", atomic: "any", clock: "server", revisions: false },
];

describe("a backend on a store does what `decide` says on tables in reach, whatever gets in its way", () => {
  for (const [seed, kind] of kinds.entries()) {
    it(kind.called, async () => {
      const roll = dice(seed + 7);
      let wall = 1_700_000_000_000;
      const time: Time = { ...systemTime, wall: () => wall, monotonic: () => wall };
      const model = new MapView();
      model.renewsClaims = false;
      model.leastGrant = () => Math.floor(wall * 1_000);
      let refused = 0;
      let next: "fine" | "conflict" | "lost" | "unknown" = "fine";
      const cells = new CellServer({
        ...kind,
        time,
        meddle: async (what, when) => {
          const due = { request: ["conflict", "lost"], reply: ["unknown"] }[when];
          if (when === "request") refused = cells.counts.refused;
          // What was refused is asked again, and meets it then.
          if (what === "read" || !due.includes(next) || cells.counts.refused > refused) return;
          const met = next;
          next = "fine";
          if (met === "conflict") cells.disturb();
          else throw new StoreError("no reply", { sent: true });
        },
      });
      const make = () => storeBackend({ name: "cells", store: cells.store(), time });
      const backends = [make(), make()];
      const real = backends.map((backend) => backend.session());
      const asking = new Asking(roll, kind.atomic === "any");
      const counts = { conflict: 0, lost: 0, unknown: 0, fine: 0 };
      for (let i = 0; i < rounds; i++) {
        wall += roll(6);
        const group = asking.group();
        const who = roll(2);
        // So that what is tried without a read has the server's time of now.
        await ask(real[who] as Session, { ops: [{ op: "get", key: { ...(records[0] as Key), key: "other" } }] });
        next = (["fine", "fine", "conflict", "lost", "unknown"] as const)[roll(5)] ?? "fine";
        const meant = next;
        const outcome = await ask(real[who] as Session, group);
        // Only a commit meets it.
        const met = next === "fine" ? meant : "fine";
        counts[met]++;
        next = "fine";
        const failed = !outcome.ok && outcome.why === "failed";
        if (failed) assert.ok(outcome.sent && met !== "fine" && met !== "conflict", `${String(outcome.error)}: ${met}`);
        else assert.notEqual(met, "lost", "what was lost on its way has no outcome");
        if (met === "lost") continue;
        model.wall = model.now = wall;
        const expected = decide(model, group, String(who));
        // A commit of nothing but deletes cannot be recognised.
        if (failed)
          assert.ok(
            group.ops.some(({ op }) => op === "delete"),
            JSON.stringify(group),
          );
        else assert.deepEqual(plain(outcome), plain(expected), `round ${i}: ${JSON.stringify(group)}`);
        remember(asking, group, outcome);
      }
      assert.ok(counts.conflict > 20 && counts.unknown > 20 && counts.lost > 20, JSON.stringify(counts));
      await Promise.all(backends.map(async (backend) => backend.close()));
    });
  }
});

function remember({ grants }: Asking, { ops }: Group, outcome: Outcome): void {
  if (!outcome.ok) return;
  for (const [i, op] of ops.entries()) {
    if (op.op === "acquire" || op.op === "extend") {
      grants.set(op.lock.key + op.owner, (outcome.results[i] as { grant: number }).grant);
    }
  }
}

/** Without what is undefined, and bytes as text. */
function plain(outcome: Outcome): unknown {
  const text = JSON.stringify(outcome, (_, value: unknown) =>
    value instanceof Uint8Array ? `bytes ${String(value)}` : value,
  );
  return JSON.parse(text);
}

async function ask(session: Session, group: Group): Promise<Outcome> {
  const [outcome] = await session.execute([group], { deadline: Infinity, claim: () => true });
  return outcome as Outcome;
}
