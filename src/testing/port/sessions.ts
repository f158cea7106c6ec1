import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import { isHoldfastError } from "../../base/errors.ts";
import type { Group, Outcome } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, keeps, lock, okOf, record } from "./client.ts";

const long = 600_000;

async function assertEnded(client: Client): Promise<void> {
  const outcomes = await client.groups([write("late"), { ops: [{ op: "get", key: record("late") }] }]);
  for (const outcome of outcomes) assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
  const call = { deadline: client.backend.time.monotonic() + long };
  await assert.rejects(
    async () => client.session.page({ space: record("k").space, prefix: "", limit: 1 }, call),
    (error) => isHoldfastError(error),
  );
}

function write(key: string): Group {
  return { ops: [{ op: "set", key: record(key), id: drawId(), value: "v" }] };
}

export const sessionCases: readonly Case[] = [
  {
    title: "open may be called at once and again, and always says the same",
    proves: "port: Backend.open",
    async run({ place, capabilities }) {
      const backend = place.backend();
      const [first, second] = await Promise.all([backend.open(), backend.open()]);
      const third = await backend.open();
      assert.ok(first.domain.length > 0);
      assert.deepEqual([second.domain, third.domain], [first.domain, first.domain]);
      assert.deepEqual(first.capabilities, capabilities);
      assert.equal(backend.name, backend.name.toLowerCase());
    },
  },
  {
    title: "two backends of one domain see the same records and locks",
    proves: "port: Opened.domain",
    when: keeps,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      assert.equal((await a.backend.open()).domain, (await b.backend.open()).domain);
      const id = await a.set(record("k"), "v");
      assert.equal((await b.get(record("k")))?.id, id);
    },
  },
  {
    title: "a session works without a call of open",
    proves: "port: Session.execute waits for open",
    when: keeps,
    async run(context) {
      const session = context.place.backend().session();
      const call = { deadline: performance.now() + long, claim: () => true };
      const [outcome] = await session.execute([write("k")], call);
      okOf(outcome as Outcome);
    },
  },
  {
    title: "sessions have ids of their own, and one that ends is the only one",
    proves: "port: Session",
    when: keeps,
    async run(context) {
      const backend = context.place.backend();
      const [a, b] = [new Client(backend), new Client(backend)];
      assert.notEqual(a.session.id, b.session.id);
      await a.set(record("k"), "v");
      await a.session.close();
      await a.session.close();
      await assertEnded(a);
      assert.equal((await b.get(record("k")))?.value, "v");
    },
  },
  {
    title: "what a closed session held stays until it expires, and it is told nothing more",
    proves: "port: Session.close",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const heard = a.session.signals ? await a.listen({ topic: "t" }) : undefined;
      await a.acquire(lock("k"), "a", { ttl: 8 * context.unit });
      await a.session.close();
      await b.session.signals?.publish("t", "late");
      await b.refused("held", { ops: [acquire(lock("k"), "b", { ttl: long })] });
      await context.place.elapse(8 * context.unit + 1);
      await b.acquire(lock("k"), "b", { ttl: long });
      assert.deepEqual(heard?.signals ?? [], []);
    },
  },
  {
    title: "close ends the sessions of its backend, and of no other",
    proves: "port: Backend.close",
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      okOf(await a.group(write("before")));
      await a.backend.close();
      await a.backend.close();
      await assertEnded(a);
      await assert.rejects(
        async () => a.backend.open(),
        (error) => isHoldfastError(error),
      );
      okOf(await b.group(write("after")));
    },
  },
  {
    title: "what is answered at once is the same as what is answered later",
    proves: "port: Session.executeNow",
    when: keeps,
    async run(context) {
      const { session, ...client } = await opened(context);
      const now = (group: Group): Outcome | undefined => session.executeNow?.(group);
      const get: Group = { ops: [{ op: "get", key: record("k") }] };
      const written = now(write("k"));
      if (written) assert.deepEqual(okOf(written), [undefined]);
      else okOf(await client.run(write("k")));
      const found = now(get);
      if (found) assert.deepEqual(okOf(found), okOf(await client.run(get)));
      const refused = now({ ops: [{ op: "check", key: record("k"), if: { id: "other" } }] });
      if (refused) assert.ok(!refused.ok && refused.why === "conflict" && refused.at === 0);
      await session.close();
      const late = now(get);
      if (late) assert.ok(!late.ok && late.why === "failed" && !late.sent);
    },
  },
];

async function opened(context: Parameters<Case["run"]>[0]) {
  const client = Client.of(context);
  await client.backend.open();
  return { session: client.session, run: async (group: Group) => client.group(group) };
}
