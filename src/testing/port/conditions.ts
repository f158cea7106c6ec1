import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Condition, Operation, Outcome } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { Client, keeps, record } from "./client.ts";

const key = record("k");
const absent: Condition = { absent: true };

function writes(condition: Condition): readonly Operation[] {
  return [
    { op: "check", key, if: condition },
    { op: "set", key, id: drawId(), value: "refused", if: condition },
    { op: "delete", key, if: condition },
  ];
}

export const conditionCases: readonly Case[] = [
  {
    title: "a condition that does not hold refuses check, set and delete, and tells the record as it is",
    proves: "port: Outcome conflict",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      for (const op of writes({ id: "other" })) {
        const conflict = await client.refused("conflict", { ops: [op] });
        assert.equal(conflict.at, 0);
        assert.equal(conflict.current, undefined);
      }
      assert.equal(await client.get(key), undefined, "a refused write changed nothing");
      const id = await client.set(key, "kept");
      for (const op of [...writes({ id: "other" }), ...writes(absent)]) {
        const { current } = await client.refused("conflict", { ops: [op] });
        assert.equal(current?.id, id);
        assert.equal(current.value, "kept");
        assert.equal(current.key, "k");
      }
      assert.equal((await client.get(key))?.id, id);
    },
  },
  {
    title: "a condition that holds lets check, set and delete pass",
    proves: "port: Condition",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await client.ok({ op: "check", key, if: absent });
      assert.deepEqual(await client.ok({ op: "delete", key, if: absent }), [false]);
      const [first, second] = [drawId(), drawId()];
      assert.deepEqual(await client.ok({ op: "set", key, id: first, value: "1", if: absent }), [undefined]);
      await client.ok({ op: "check", key, if: { id: first } });
      await client.ok({ op: "set", key, id: second, value: "2", if: { id: first } });
      assert.equal((await client.get(key))?.value, "2");
      assert.deepEqual(await client.ok({ op: "delete", key, if: { id: second } }), [true]);
      await client.refused("conflict", { ops: [{ op: "delete", key, if: { id: second } }] });
    },
  },
  {
    title: "a version does not come back after delete and create",
    proves: "state 2: versions are never reused",
    when: keeps,
    async run(context) {
      const [stale, other] = [Client.of(context), Client.of(context)];
      const old = await stale.set(key, "same");
      await other.ok({ op: "delete", key });
      const recreated = await other.set(key, "same");
      for (const op of writes({ id: old })) await stale.refused("conflict", { ops: [op] });
      assert.equal((await stale.get(key))?.id, recreated);
    },
  },
  {
    title: "versions that differ in case or trailing blanks differ",
    proves: "port: Condition",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await client.ok({ op: "set", key, id: "aB", value: "v" });
      for (const id of ["ab", "AB", "aB ", "a", "aB\u0000"]) {
        await client.refused("conflict", { ops: [{ op: "check", key, if: { id } }] });
      }
    },
  },
  {
    title: "many clients that create a record at once have one winner",
    proves: "state 3: N concurrent { absent: true } have one winner",
    when: keeps,
    async run(context) {
      const clients = Array.from({ length: 12 }, () => Client.of(context));
      for (let round = 0; round < 5; round++) {
        const target = record(`round ${round}`);
        const outcomes: readonly Outcome[] = await Promise.all(
          clients.map((client, i) =>
            client.group({ ops: [{ op: "set", key: target, id: `${round}.${i}`, value: `${i}`, if: absent }] }),
          ),
        );
        const winners = outcomes.flatMap((outcome, i) => (outcome.ok ? [i] : []));
        assert.equal(winners.length, 1, `winners: ${winners.join()}`);
        assert.equal((await clients[0]?.get(target))?.value, `${winners[0]}`);
        for (const outcome of outcomes) assert.ok(outcome.ok || outcome.why === "conflict");
      }
    },
  },
  {
    title: "no update is lost when many clients write on a version",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const clients = Array.from({ length: 6 }, () => Client.of(context));
      await clients[0]?.set(key, "0");
      const each = 8;
      await Promise.all(
        clients.map(async (client) => {
          let seen = await client.get(key);
          let tries = 0;
          for (let done = 0; done < each;) {
            assert.ok(++tries < 5_000, "a writer is never served");
            const id = drawId();
            const value = String(Number(seen?.value) + 1);
            const outcome = await client.group({ ops: [{ op: "set", key, id, value, if: { id: seen?.id ?? "" } }] });
            if (outcome.ok) {
              done++;
              seen = { key: "k", id, value };
            } else {
              assert.equal(outcome.why, "conflict");
              seen = outcome.why === "conflict" ? outcome.current : undefined;
            }
          }
        }),
      );
      assert.equal((await clients[0]?.get(key))?.value, String(each * clients.length));
    },
  },
];
