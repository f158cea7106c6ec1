import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { lmdbBackend } from "../../../src/backends/lmdb/index.ts";
import { lmdb } from "../machine/support/kinds.ts";
import { record, run, Scene } from "../machine/support/processes.ts";

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
const refusal = /^Error: UnsupportedError: the directory is open in another container/;
const set = { op: "set", key: record("k"), id: "i", value: "v" } as const;

test(
  "a directory that is open in a container is refused in another one, until the first has ended",
  { skip },
  async (t) => {
    const scene = new Scene(t, lmdb);
    const first = await scene.child(...container);
    assert.equal(await first.ask({ do: "pid" }), 1);
    assert.ok((await first.execute(set)).ok);
    const second = scene.started(...container);
    await assert.rejects(second.ask({ do: "open" }), refusal);
    assert.ok((await first.execute(set)).ok, "the first one goes on");
    await assert.rejects((await scene.backend()).open(), { code: "UNSUPPORTED" }, "nor outside of containers");
    const ended = once(first.process, "exit");
    first.ask({ do: "close" }).catch(() => undefined); // the channel closes with it
    await ended;
    await second.ask({ do: "open" });
    assert.ok((await second.execute(set)).ok);
  },
);

test("a container that was killed keeps no other out, one that is stopped does", { skip }, async (t) => {
  const scene = new Scene(t, lmdb);
  const first = await scene.child(...container);
  const [pid] = childrenOf(first.process.pid as number);
  process.kill(pid as number, "SIGSTOP");
  const second = scene.started(...container);
  await assert.rejects(second.ask({ do: "open" }), refusal);
  const ended = once(first.process, "exit");
  process.kill(pid as number, "SIGKILL");
  await ended;
  await second.ask({ do: "open" });
  assert.ok((await second.execute(set)).ok);
});

test(
  "of containers that come at once, one space of process numbers at most gets in, and those of one share it",
  { skip },
  async (t) => {
    const scene = new Scene(t, lmdb);
    for (let round = 0; round < 3; round++) {
      const children = Array.from({ length: 3 }, () => scene.started(...container));
      const here = await scene.backend();
      const opened = await Promise.allSettled([...children.map((child) => child.ask({ do: "open" })), here.open()]);
      const inside = opened.filter(({ status }) => status === "fulfilled");
      assert.ok(inside.length <= 1, `${inside.length} are in`);
      for (const outcome of opened)
        if (outcome.status === "rejected") assert.match(String(outcome.reason), /UnsupportedError/);
      await here.close();
      await Promise.all(children.map((child) => child.kill()));
    }
    const inside = await scene.backend();
    await inside.open();
    await scene.child();
  },
);

test("containers meet also where the path is too long for a socket", { skip }, async (t) => {
  const scene = new Scene(t, lmdb);
  const long = path.join("a".repeat(60), "b".repeat(60));
  const backend = lmdbBackend({ path: path.join(scene.folder, "data", long) });
  t.after(() => backend.close());
  const session = backend.session();
  assert.ok((await run(session, { ops: [set] })).ok);
  const other = scene.startedAt(`${scene.url}/${long}`, ...container);
  await assert.rejects(other.ask({ do: "open" }), refusal);
  const near = scene.startedAt(`${scene.url}/${long}`);
  await near.ask({ do: "open" });
  assert.ok((await near.execute(set)).ok);
});

function childrenOf(pid: number): number[] {
  const text = execFileSync("cat", [`/proc/${pid}/task/${pid}/children`], { encoding: "utf8" });
  return text.trim().split(" ").map(Number);
}
