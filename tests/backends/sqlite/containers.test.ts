import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { StoredRecord } from "../../../src/port/index.ts";
import { sqlite } from "../machine/support/kinds.ts";
import { lock, record, results, run, Scene } from "../machine/support/processes.ts";

// Containers as far as process numbers go: each first process in one of these has the number 1.

const container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

function skipReason(): string | false {
  try {
    execFileSync("unshare", [...container.slice(1), "true"], { stdio: "ignore" });
    return false;
  } catch {
    return "namespaces of process numbers are not permitted here";
  }
}

const skip = skipReason();
const acquire = { op: "acquire", lock: lock("l"), mode: "exclusive", info: "" } as const;

test("containers share a file: counters are exact, and their processes wake each other", { skip }, async (t) => {
  const scene = new Scene(t, sqlite);
  const children = await Promise.all([scene.child(...container), scene.child(...container), scene.child()]);
  const [one, other] = children;
  assert.deepEqual(await Promise.all(children.slice(0, 2).map((child) => child.ask({ do: "pid" }))), [1, 1]);
  const times = 100;
  await Promise.all(children.map((child) => child.ask({ do: "count", key: record("n"), times })));
  const session = await scene.session();
  const [found] = await results(session, { op: "get", key: record("n") });
  assert.equal((found as StoredRecord).value, String(3 * times));

  await other.ask({ do: "subscribe", to: { grants: true } });
  const took: number[] = [];
  for (let round = 0; round < 10; round++) {
    assert.ok((await one.execute({ ...acquire, owner: `h${round}`, ttl: 600_000 })).ok);
    await other.execute({ ...acquire, owner: `w${round}`, ttl: 600_000, wait: { claimMs: 600_000 } });
    const before = other.signals.length;
    const released = process.hrtime.bigint();
    await one.execute({ op: "release", lock: lock("l"), owner: `h${round}` });
    await other.until(() => other.signals.length > before);
    took.push(Number((other.signals.at(-1) as { at: bigint }).at - released) / 1e6);
    await other.execute({ op: "release", lock: lock("l"), owner: `w${round}` });
  }
  took.sort((a, b) => a - b);
  t.diagnostic(`from the release to the wake-up in the other container: median ${took[5]?.toFixed(2)} ms`);
  assert.ok((took[5] as number) < 100, "as slow as the poll behind it");
});

test(
  "what a process held that was killed in another container ends with its lease, not before",
  { skip },
  async (t) => {
    const scene = new Scene(t, sqlite);
    const child = await scene.child(...container);
    const ttl = 1_500;
    const before = performance.now();
    assert.ok((await child.execute({ ...acquire, owner: "dead", ttl })).ok);
    const session = await scene.session();
    let wake: () => void = () => undefined;
    await session.signals?.subscribe({ grants: true }, () => wake());
    const granted = new Promise<void>((resolve) => (wake = resolve));
    const outcome = await run(session, { ops: [{ ...acquire, owner: "live", ttl, wait: { claimMs: 60_000 } }] });
    assert.ok(!outcome.ok && outcome.why === "held");
    await child.kill();
    await granted;
    const took = performance.now() - before;
    assert.ok(took >= ttl && took < 10 * ttl, `granted after ${took} ms`);
  },
);

test(
  "the numbers of a live process mean nothing in another container: what it holds is not taken",
  { skip },
  async (t) => {
    const scene = new Scene(t, sqlite);
    const [one, other] = await Promise.all([scene.child(...container), scene.child(...container)]);
    assert.ok((await one.execute({ ...acquire, owner: "one", ttl: 600_000 })).ok);
    one.process.kill("SIGCONT");
    const outcome = await other.execute({ ...acquire, owner: "other", ttl: 600_000 });
    assert.ok(!outcome.ok && outcome.why === "held");
    await other.kill();
    const session = await scene.session();
    const [state] = await results(session, { op: "inspect", lock: lock("l") });
    assert.deepEqual(
      (state as { holders: { owner: string }[] }).holders.map(({ owner }) => owner),
      ["one"],
    );
  },
);

test("where nobody can tell of which container a process is, none is taken for dead", { skip }, async (t) => {
  const scene = new Scene(t, sqlite);
  // Without /proc there is no name of a space of process numbers.
  const blind = [...container.slice(0, -1), "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh"];
  // So that its number is one that neither a process nor a thread has in the other container.
  const later = ["sh", "-c", 'for i in $(seq 99); do (exit); done; "$@"; exit', "sh"];
  const [one, other] = await Promise.all([scene.child(...blind, ...later), scene.child(...blind)]);
  assert.ok((await one.execute({ ...acquire, owner: "one", ttl: 600_000 })).ok);
  const outcome = await other.execute({ ...acquire, owner: "other", ttl: 600_000 });
  assert.ok(!outcome.ok && outcome.why === "held");
});
