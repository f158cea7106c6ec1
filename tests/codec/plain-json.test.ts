import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeWith, encodeWith } from "../../src/codec/index.ts";
import { json, plainJson } from "../../src/entries/index.ts";

class Money {
  readonly amount: number;
  readonly currency: string;
  constructor(amount: number, currency: string) {
    this.amount = amount;
    this.currency = currency;
  }
  toJSON(): string {
    return `${this.amount} ${this.currency}`;
  }
}

class Order {
  readonly total = new Money(7, "EUR");
  readonly at = new Date(0);
  readonly note = undefined;
}

describe("plainJson", () => {
  const stored = (value: unknown): unknown => decodeWith(plainJson, encodeWith(plainJson, value));

  it("stores what JSON.stringify makes of a value", () => {
    assert.deepEqual(stored(new Order()), { total: "7 EUR", at: "1970-01-01T00:00:00.000Z" });
    for (const value of [
      new Money(1, "USD"),
      [Number.NaN, new Map([[1, 2]]), () => 1],
      null,
      "\ud800",
      0,
      { a: { b: [] } },
    ]) {
      assert.deepEqual(stored(value), JSON.parse(JSON.stringify(value)));
    }
  });

  it("reads what json has written of plain values, and the other way round", () => {
    for (const value of [{ a: [1, "ä", null, true] }, "text", 7]) {
      assert.deepEqual(decodeWith(plainJson, encodeWith(json, value)), value);
      assert.deepEqual(decodeWith(json, encodeWith(plainJson, value)), value);
      assert.deepEqual(decodeWith(plainJson, Buffer.from(encodeWith(json, value) as string)), value);
    }
  });

  it("refuses what it can make no text of", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const value of [undefined, () => 1, Symbol("s"), 1n, { n: 1n }, cycle]) {
      assert.throws(() => encodeWith(plainJson, value, { key: "k" }), { code: "UNSUPPORTED_VALUE", key: "k" });
    }
  });

  it("reports what is no JSON", () => {
    for (const data of ["", "{", Buffer.from([0xff])]) {
      assert.throws(() => decodeWith(plainJson, data), { code: "CORRUPT_VALUE" });
    }
  });
});
