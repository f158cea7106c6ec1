import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isHoldfastError } from "../../base/errors.ts";
import type { Case } from "../suite.ts";
import { all, Changes, leaseOf, rejects, storeOn, throws, watches } from "./client.ts";
import { begin, stand, takesPart, transaction } from "./own-stand.ts";

export const ownEndingCases: readonly Case[] = [
  {
    title: "a conflict leaves the transaction as it was, and usable",
    proves: "own transactions: refusals",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const old = await at.store.save("k", 1);
      const current = await at.store.save("k", 2);
      await transaction(at, async ({ entries, insert }) => {
        await insert("before");
        await rejects(entries.save("k", 9, { if: { version: old } }), "CONFLICT");
        await rejects(entries.save("k", 9, { if: { absent: true } }), "CONFLICT");
        await rejects(entries.save("none", 9, { if: { version: old } }), "CONFLICT");
        await rejects(entries.delete("none", { if: { version: old } }), "CONFLICT");
        await rejects(entries.touch("none", "1h", { if: { version: old } }), "CONFLICT");
        await rejects(entries.delete("k", { if: { version: old } }), "CONFLICT");
        await rejects(entries.save("k", (() => 1) as never), "UNSUPPORTED_VALUE");
        await rejects(entries.save("", 1), "INVALID_ARGUMENT");
        await rejects(entries.save("k", 9, { if: undefined } as never), "INVALID_ARGUMENT");
        await insert("after");
        await entries.save("k", 3, { if: { version: current } });
      });
      assert.deepEqual(await at.application.rows(), ["after", "before"]);
      assert.deepEqual(await all(at.other.keys()), ["k"], "nothing was left behind");
      await at.other.save("none", 1, { if: { absent: true } });
    },
  },
  {
    title: "watchers are told at the commit",
    proves: "own transactions: signals",
    when: (capabilities) => takesPart(capabilities) && watches(capabilities),
    async run(context) {
      const at = await stand(context);
      const changes = await Changes.of(at.other);
      const own = await begin(at);
      await own.entries.save("own", 1);
      await at.store.save("store", 2);
      await changes.state("store", 2);
      assert.ok(!changes.seen.some((one) => one.type === "save" && one.entry.key === "own"), "told before the commit");
      await own.run("COMMIT");
      await own.close();
      await changes.state("own", 1);
      await transaction(at, async ({ entries }) => entries.delete("own"));
      await changes.state("own", undefined);
      await changes.stop();
    },
  },
  {
    title: "an entry that another transaction has changed is waited for, until the timeout at most",
    proves: "own transactions: they end",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const first = await begin(at);
      await first.entries.save("k", 1);
      const second = await begin(at);
      await second.insert("second");
      const patient = transaction(at, async ({ entries }) => entries.upsert("k", (n) => (n ?? 0) + 1));
      await rejects(second.entries.save("k", 2, { timeout: context.unit }), "UNAVAILABLE");
      await second.run("ROLLBACK");
      await second.close();
      await first.run("COMMIT");
      await first.close();
      await patient;
      assert.equal(await at.other.load("k"), 2);
      assert.deepEqual(await at.application.rows(), []);
    },
  },
  {
    title: "after a call was given up nothing more of it is sent",
    proves: "own transactions: they end",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const first = await begin(at);
      await first.entries.save("k", 1);
      const second = await begin(at);
      const texts: string[] = [];
      const counted = {
        query(text: string, values: string[]) {
          texts.push(text);
          return second.own.query(text, values);
        },
      };
      const stop = new AbortController();
      const waiting = at.store.within(counted).upsert("k", () => 2, { signal: stop.signal });
      const refused = rejects(waiting, "INDETERMINATE");
      await context.place.elapse(context.unit);
      const sent = texts.length;
      stop.abort(new Error("enough"));
      await refused;
      const rolledBack = second.run("ROLLBACK");
      await first.run("COMMIT");
      await rolledBack;
      await second.insert("alone");
      // What may be sent sets a wait back that outlives the transaction.
      assert.ok(
        texts.slice(sent).every((text) => text.startsWith("SET ")),
        texts.slice(sent).join("\n"),
      );
      await Promise.all([first.close(), second.close()]);
      assert.equal(await at.other.load("k"), 1);
      assert.deepEqual(await at.application.rows(), ["alone"]);
    },
  },
  {
    title: "a connection without a transaction, with an aborted signal or of no kind at all writes nothing",
    proves: "own transactions: refusals",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const idle = await at.application.connect();
      const entries = at.store.within(idle.own);
      await rejects(entries.save("k", 1), "INVALID_ARGUMENT");
      await rejects(entries.save("k", 1, { if: { absent: true } }), "INVALID_ARGUMENT");
      const lease = await leaseOf(at.instance, ["k"]);
      await rejects(entries.check(lease), "INVALID_ARGUMENT");
      await idle.close();
      for (const wrong of [undefined, null, {}, { query: 1 }, "BEGIN"]) {
        throws(() => at.store.within(wrong as never), "INVALID_ARGUMENT");
      }
      await transaction(at, async (own) => {
        const reason = new Error("enough");
        await assert.rejects(own.entries.save("k", 1, { signal: AbortSignal.abort(reason) }), reason);
      });
      assert.deepEqual(await all(at.other.keys()), []);
    },
  },
  {
    title: "a store within a transaction that has ended writes nothing",
    proves: "own transactions: refusals",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const lease = await leaseOf(at.instance, ["k"]);
      // A library may say so before the server is asked, with an error of its own.
      const refused = async (work: Promise<unknown>): Promise<void> =>
        assert.rejects(
          work,
          (error) => isHoldfastError(error, "INVALID_ARGUMENT") || isHoldfastError(error, "UNAVAILABLE"),
        );
      for (const end of ["COMMIT", "ROLLBACK"]) {
        const { entries, run, close } = await begin(at);
        await entries.save("k", 1);
        await run(end);
        await refused(entries.save("k", 2));
        await refused(entries.save("new", 2, { if: { absent: true } }));
        await refused(entries.upsert("k", (n) => (n ?? 0) + 1));
        await refused(entries.delete("k"));
        await refused(entries.touch("k", "1h"));
        await refused(entries.check(lease));
        await close();
      }
      const entry = await at.other.loadEntry("k");
      assert.deepEqual([entry?.value, entry?.expiresAt], [1, undefined]);
      assert.deepEqual(await all(at.other.keys()), ["k"]);
    },
  },
  {
    title: "no error holds a value or the text of a key that it is not about",
    proves: "own transactions: errors",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const secret = "s3cr3t-4711";
      const store = storeOn<string>(at.instance, "secrets");
      const errors: unknown[] = [];
      const failed = async (work: Promise<unknown>): Promise<void> => {
        errors.push(
          await work.then(
            () => assert.fail("it succeeded"),
            (error: unknown) => error,
          ),
        );
      };
      const first = await begin(at);
      await store.within(first.own).save("k", secret);
      const second = await begin(at);
      await failed(store.within(second.own).save("k", secret, { timeout: context.unit }));
      await second.cut();
      await failed(store.within(second.own).save("k", secret));
      await failed(store.within(second.own).save("k", secret, { if: { absent: true } }));
      await Promise.all([first.close(), second.close()]);
      for (const error of errors) {
        assert.ok(isHoldfastError(error), String(error));
        const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
        assert.ok(!shown.includes(secret), shown);
        assert.ok(!shown.includes(Buffer.from(secret).toString("hex")), shown);
      }
    },
  },
];
