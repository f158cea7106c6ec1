import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client } from "pg";
import { arrayText, bigintArray, bytesArray, smallintArray, textArray } from "../../../src/backends/postgres/arrays.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { sharedServer } from "../../support/sql/shared.ts";

const kind = "postgres15";

describe("arrays as parameters of Postgres", { skip: lacks(kind) }, () => {
  let client: Client;
  before(async () => {
    client = new Client({ connectionString: (await sharedServer(kind)).url });
    await client.connect();
  });
  after(async () => client.end());

  const given = async (type: string, array: Buffer): Promise<unknown> => {
    const { rows } = await client.query<{ x: unknown }>(`SELECT x FROM unnest($1::${type}[]) u(x)`, [array]);
    const text = await client.query<{ x: unknown }>(`SELECT x FROM unnest($1::text::${type}[]) u(x)`, [
      arrayText(array),
    ]);
    assert.deepEqual(text.rows, rows, "the same as text");
    return rows.map(({ x }) => x);
  };

  it("come as they are", async () => {
    const bytes = ["", "a", "ä漢😀\u0000", new Uint8Array([0, 255]), undefined];
    const expected = bytes.map((one) => (one === undefined ? null : Buffer.from(one as string)));
    assert.deepEqual(await given("bytea", bytesArray(bytes)), expected);
    const texts = ["", "{}", '"\\,', "ä漢😀", "NULL"];
    assert.deepEqual(await given("text", textArray(texts)), texts);
    const big = [0, -1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, undefined];
    assert.deepEqual(
      await given("bigint", bigintArray(big)),
      big.map((one) => (one === undefined ? null : String(one))),
    );
    assert.deepEqual(await given("smallint", smallintArray([0, -1, 32_767])), [0, -1, 32_767]);
    assert.deepEqual(await given("bytea", bytesArray([])), []);
  });
});
