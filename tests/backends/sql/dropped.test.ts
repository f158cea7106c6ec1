import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, migrate } from "../../../src/entries/index.ts";
import { lacks, sqlKinds } from "../../support/sql/kinds.ts";
import { storeOn } from "./support/store.ts";

for (const kind of sqlKinds) {
  describe(`tables of ${kind} that are dropped while a process uses them`, { skip: lacks(kind) }, () => {
    it("fail each call with an error that says what to do, and are not made again in silence", async (t) => {
      const { backend, names, query } = await storeOn(t, kind);
      const one = backend();
      const hf = await connect(one);
      const orders = hf.state<number>("orders");
      const lock = hf.lock("orders");
      await orders.save("1", 1);
      await query(`DROP TABLE ${names.records}`);
      const gone = { code: "UNAVAILABLE", refused: true, message: /holdfast migrate URL/ };
      await assert.rejects(orders.load("1"), gone);
      await assert.rejects(orders.save("1", 2), gone);
      await assert.rejects(orders.save("1", 2, { if: { absent: true } }), gone);
      const lease = await lock.acquire("1");
      await assert.rejects(orders.save("1", 2, { lease }), gone);
      await lease.release();

      const { made } = await migrate(backend());
      assert.deepEqual(made?.again.length, 1);
      assert.equal(await orders.load("1"), undefined);
      await orders.save("1", 3);
      assert.equal(await orders.load("1"), 3);
      await hf.close();
    });

    it("take the locks with them: a write under a lease that they held is refused", async (t) => {
      const { backend, names, query } = await storeOn(t, kind);
      const hf = await connect(backend());
      const orders = hf.state<number>("orders");
      const lease = await hf.lock("orders").acquire("1");
      await query(`DROP TABLE ${names.locks}`);
      await migrate(backend());
      await assert.rejects(orders.save("1", 2, { lease }), { code: "FENCED" });
      await lease.release();
      const later = await hf.lock("orders").acquire("1");
      assert.ok(later.fence > lease.fence, "fences rise all the same");
      await later.release();
      await hf.close();
    });
  });
}
