import assert from "node:assert/strict";
import { isHoldfastError } from "../../base/errors.ts";
import { drawId } from "../../base/ids.ts";
import { space, type Space } from "../../base/keys.ts";
import type { Capabilities, Page, StoredRecord } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { Client, excludes, keeps, lock, okOf, record } from "./client.ts";
import { nastyKeys } from "./records.ts";

const long = 600_000;
const lists = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.list;
const records = record("any").space;

interface Listing {
  readonly space?: Space;
  readonly prefix?: string;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly cursor?: string | undefined;
}

async function page(
  client: Client,
  { space: of = records, prefix = "", limit = 1_000, keysOnly, cursor }: Listing,
): Promise<Page> {
  const call = { deadline: client.backend.time.monotonic() + long };
  const found = await client.session.page({ space: of, prefix, limit, keysOnly, cursor }, call);
  assert.ok(found.records.length <= limit, "at most as many records as asked for");
  return found;
}

/** All pages; `between` runs after each. */
async function list(client: Client, listing: Listing, between?: (i: number) => Promise<void>): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  let cursor: string | undefined;
  for (let i = 0; i < 10_000; i++) {
    const next = await page(client, { ...listing, cursor });
    all.push(...next.records);
    cursor = next.cursor;
    if (cursor === undefined) return all;
    await between?.(i);
  }
  assert.fail("a listing ends");
}

async function fill(client: Client, keys: readonly string[]): Promise<void> {
  const outcomes = await client.groups(
    keys.map((key) => ({ ops: [{ op: "set", key: record(key), id: `v:${key}`.slice(0, 20), value: key }] })),
  );
  for (const outcome of outcomes) okOf(outcome);
}

/** Each key once: a listing may show one more often. */
const names = (found: readonly StoredRecord[]): string[] => [...new Set(found.map((one) => one.key))].toSorted();

export const pageCases: readonly Case[] = [
  {
    title: "pages hold every record of the space, whatever their size",
    proves: "port: Session.page",
    when: lists,
    async run(context) {
      const client = Client.of(context);
      assert.deepEqual(await list(client, {}), []);
      const keys = Array.from({ length: 57 }, (_, i) => `k${i}`);
      await fill(client, keys);
      await client.set(record("elsewhere", "other"), "v");
      await client.set({ space: space("cache", "conformance", "records"), key: "cached" }, "v");
      for (const limit of [1, 7, 56, 57, 58, 1_000]) {
        assert.deepEqual(names(await list(client, { limit })), keys.toSorted(), `pages of ${limit}`);
      }
    },
  },
  {
    title: "records come as they are stored",
    proves: "port: Page.records",
    when: lists,
    async run(context) {
      const client = Client.of(context);
      const id = await client.set(record("text"), "ä", { ttl: long });
      await client.set(record("bytes"), new Uint8Array([0, 255]));
      const all = await list(client, {});
      const text = all.find((one) => one.key === "text");
      assert.deepEqual([text?.id, text?.value], [id, "ä"]);
      assert.equal(text?.expiresAt, (await client.get(record("text")))?.expiresAt);
      const bytes = all.find((one) => one.key === "bytes");
      assert.ok(bytes?.value instanceof Uint8Array);
      assert.deepEqual([...bytes.value], [0, 255]);
      assert.equal(bytes.expiresAt, undefined);
    },
  },
  {
    title: "a prefix is compared character by character",
    proves: "port: Query.prefix",
    when: lists,
    async run(context) {
      const client = Client.of(context);
      await fill(client, nastyKeys);
      const prefixes = [
        "",
        "a",
        "A",
        "a\u0000",
        "a%",
        "%",
        "_",
        "*",
        "[",
        "}",
        "k".repeat(1_024),
        "漢",
        "\u{1f600}",
        "\uffff",
        "zz",
      ];
      for (const prefix of prefixes) {
        const expected = nastyKeys.filter((key) => key.startsWith(prefix)).toSorted();
        for (const limit of [3, 1_000]) {
          assert.deepEqual(names(await list(client, { prefix, limit })), expected, `prefix ${JSON.stringify(prefix)}`);
        }
      }
    },
  },
  {
    title: "what is there throughout is listed, whatever is written and deleted meanwhile",
    proves: "state 7: list yields every key that is there throughout",
    when: lists,
    async run(context) {
      const [client, other] = [Client.of(context), Client.of(context)];
      const stable = Array.from({ length: 60 }, (_, i) => `s${i}`);
      const passing = Array.from({ length: 60 }, (_, i) => `p${i}`);
      await fill(
        client,
        stable.flatMap((key, i) => [key, passing[i] as string]),
      );
      const found = await list(client, { limit: 5 }, async (i) => {
        if (i >= 60) return;
        await other.ok({ op: "delete", key: record(passing[(i * 37) % 60] as string) });
        await other.set(record(`new${i}`), "v");
        await other.set(record(stable[(i * 7) % 60] as string), "written anew");
      });
      const seen = new Set(names(found));
      assert.deepEqual(
        stable.filter((key) => !seen.has(key)),
        [],
      );
    },
  },
  {
    title: "a cursor goes on where its page ended, also for another client and more than once",
    proves: "port: Query.cursor",
    when: lists,
    async run(context) {
      const [client, other] = [Client.of(context), Client.of(context)];
      const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
      await fill(client, keys);
      const first = await page(client, { limit: 10 });
      assert.ok(first.cursor !== undefined);
      for (const one of [client, other, client]) {
        const rest: StoredRecord[] = [];
        let cursor: string | undefined = first.cursor;
        while (cursor !== undefined) {
          const next: Page = await page(one, { limit: 10, cursor });
          rest.push(...next.records);
          cursor = next.cursor;
        }
        assert.deepEqual(names([...first.records, ...rest]), keys.toSorted());
      }
    },
  },
  {
    title: "a listing ends although records are added all the time",
    proves: "port: Page.cursor",
    when: lists,
    async run(context) {
      const client = Client.of(context);
      await fill(client, ["a", "b", "c"]);
      let pages = 0;
      await list(client, { limit: 1 }, async () => {
        assert.ok(++pages < 2_000, "a listing ends");
        if (pages < 500) await client.set(record(drawId()), "v");
      });
    },
  },
  {
    title: "locks that are held or waited for are listed by their keys",
    proves: "port: Query, lock spaces",
    when: (capabilities) => lists(capabilities) && excludes(capabilities),
    async run(context) {
      const client = Client.of(context);
      const held = nastyKeys.slice(0, 40);
      for (const key of held) await client.acquire(lock(key), "a", { ttl: long });
      await client.acquire(lock("released"), "a", { ttl: long });
      await client.release(lock("released"), "a");
      await client.acquire(lock("expired"), "a", { ttl: context.unit });
      await context.place.elapse(context.unit + 1);
      const found = names(await list(client, { space: lock("any").space, limit: 9 }));
      assert.deepEqual(found, held.toSorted());
      assert.deepEqual(names(await list(client, { space: lock("any", "shared").space })), []);
    },
  },
  {
    title: "a limit or a cursor that cannot be is refused",
    proves: "every call 4: bad input is refused early",
    when: lists,
    async run(context) {
      const client = Client.of(context);
      await fill(client, ["a"]);
      for (const bad of [{ limit: 0 }, { limit: 1_001 }, { limit: 1.5 }, { limit: 10, cursor: "no cursor of ours" }]) {
        const query = { space: records, prefix: "", ...bad };
        await assert.rejects(
          async () => client.session.page(query, { deadline: client.backend.time.monotonic() + long }),
          (error) => isHoldfastError(error, "INVALID_ARGUMENT"),
        );
      }
    },
  },
  {
    title: "listing is refused where it is not declared",
    proves: "port: list false",
    when: (capabilities) => !capabilities.list,
    async run(context) {
      const client = Client.of(context);
      await assert.rejects(
        async () => page(client, {}),
        (error) => isHoldfastError(error, "UNSUPPORTED"),
      );
    },
  },
  {
    title: "pages of keys only hold ten times as many, without their values",
    proves: "port: Query.keysOnly",
    when: lists,
    async run(context) {
      const { place, unit, capabilities } = context;
      const client = Client.of(context);
      const keys = Array.from({ length: 23 }, (_, i) => `k${i}`);
      await fill(client, keys);
      await client.set(record("bytes"), new Uint8Array(100));
      await client.set(record("over"), "v", { ttl: unit });
      await place.elapse(unit + capabilities.ttlGranularity);
      for (const limit of [5, 1_001, 10_000]) {
        const found = await list(client, { limit, keysOnly: true });
        assert.deepEqual(names(found), [...keys, "bytes"].toSorted(), `pages of ${limit}`);
        for (const { key, id, value } of found) {
          assert.equal(value, "");
          if (key !== "bytes") assert.equal(id, `v:${key}`);
        }
      }
      for (const more of [{ limit: 1_001 }, { limit: 10_001, keysOnly: true }, { limit: 0, keysOnly: true }]) {
        await assert.rejects(page(client, more), (error) => isHoldfastError(error, "INVALID_ARGUMENT"));
      }
    },
  },
];
