import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, isHoldfastError, type Holdfast } from "../../../../src/entries/index.ts";
import { lacks, startSql, type SqlKind } from "../kinds.ts";

/** What must hold while a statement of somebody else keeps a row for long. */
export function rowFaults(kind: SqlKind): void {
  const skip = lacks(kind);

  void test(`somebody keeps a row of ${kind} for long: its neighbours in a batch do not wait`, { skip }, async () => {
    await withHeldRow(kind, async ({ hf, beyond, release }) => {
      const store = hf.state<number>("s");
      await Promise.all(neighbours.map(async (key) => store.save(key, 0)));
      const held = store.update("held", (count) => count + 1);
      const slowest: number[] = [];
      let rounds = 0;
      // The first may have shared its batch with a row that was held; a busy machine is late with many of them.
      for (; rounds < 5 || (rounds < 50 && Math.min(...slowest) >= 50); rounds++) {
        const begun = performance.now();
        // One batch: the calls of a turn of the loop.
        await Promise.all([
          ...neighbours.map(async (key) => store.update(key, (count) => count + 1)),
          beyond.state<number>("s").load("held"),
        ]);
        slowest.push(performance.now() - begun);
      }
      await release();
      assert.equal((await held)?.value, 2, "whoever waits for the row gets it");
      assert.deepEqual(
        [...(await store.loadMany(neighbours)).values()],
        neighbours.map(() => rounds),
      );
      assert.ok(Math.min(...slowest) < 50, `the quickest round took ${Math.min(...slowest).toFixed()} ms`);
    });
  });

  void test(
    `somebody keeps a row of ${kind} for longer than a call may take: it fails and changes nothing`,
    { skip },
    async () => {
      await withHeldRow(kind, async ({ hf, release }) => {
        const store = hf.state<number>("s");
        const begun = performance.now();
        await assert.rejects(store.save("held", 7, { timeout: 300 }), (error) => isHoldfastError(error, "UNAVAILABLE"));
        const took = performance.now() - begun;
        assert.ok(took < 5_000, `it took ${took.toFixed()} ms`);
        await release();
        assert.equal(await store.load("held"), 1);
        await store.save("held", 2);
      });
    },
  );
}

const neighbours = Array.from({ length: 8 }, (_, i) => `n${i}`);

interface Stage {
  readonly hf: Holdfast;
  /** Another instance. */
  readonly beyond: Holdfast;
  release(): Promise<void>;
}

/** The record `held`, of the value 1, is kept by a transaction of somebody else. */
async function withHeldRow(kind: SqlKind, work: (stage: Stage) => Promise<void>): Promise<void> {
  const server = await startSql(kind);
  const options = { service: "rows", timeout: "10s" } as const;
  const [hf, beyond] = await Promise.all([connect(server.url, options), connect(server.url, options)]);
  const somebody = await server.session();
  try {
    await hf.state<number>("s").save("held", 1);
    // It is the one record there is; at this level no room between rows is locked.
    await somebody
      .query("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")
      .catch(async () => {
        await somebody.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
      });
    await somebody.query("BEGIN");
    await somebody.query("SELECT 1 FROM holdfast_records FOR UPDATE");
    await work({ hf, beyond, release: async () => void (await somebody.query("ROLLBACK")) });
  } finally {
    await somebody.end();
    await Promise.all([hf.close(), beyond.close()]);
    await server.stop();
  }
}
