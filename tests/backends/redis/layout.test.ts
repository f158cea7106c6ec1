import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space, type Key, type Kind } from "../../../src/base/keys.ts";
import { slotOf } from "../../../src/backends/redis/connections/slots.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import { nastyKeys } from "../../../src/testing/port/records.ts";

const layout = new Layout("hf");
const orders = space("state", "shop", "orders");
const kinds: readonly Kind[] = ["state", "cache", "stamp", "lock", "shared", "once", "result", "turn", "turns"];

const braces = [
  "{",
  "}",
  "{}",
  "{a}",
  "}{a}",
  "{a}{b}",
  "a{b}c",
  "{a",
  "a}",
  "%",
  "%7D",
  "%25",
  "a%}",
  "{%7D}",
  "{}}",
  "{{a}}",
];
const keys = [...new Set([...nastyKeys, ...braces])];
const names = ["orders", "{", "}", "%", "%7B", "1:a", "a{b}", "ä", "\u0000"];

function* everything(): Generator<Key> {
  for (const kind of kinds) for (const key of keys) yield { space: space(kind, "s", "n"), key };
  for (const service of ["", ...names])
    for (const name of names) yield { space: space("state", service, name), key: "k" };
}

describe("physical names on Redis", () => {
  it("differ for different keys, and lead back to them", () => {
    const seen = new Map<string, Key>();
    for (const key of everything()) {
      const name = layout.name(key);
      assert.equal(seen.get(name), undefined, name);
      seen.set(name, key);
      const parsed = layout.parse(name);
      assert.deepEqual([parsed?.space.id, parsed?.key], [key.space.id, key.key]);
      assert.notEqual(layout.floor(key), name);
    }
  });

  it("are as written down, for data outlives the program", () => {
    const name = (key: string): string => layout.name({ space: orders, key });
    assert.equal(name("42"), "hf:s4:shop6:orders{42}");
    assert.equal(name("{42}:lines"), "hf:s4:shop6:orders{42}{42}:lines");
    assert.equal(name("a}b%"), "hf:s4:shop6:orders{a%7Db%25}%");
    assert.equal(layout.name({ space: space("lock", "", "a{b}"), key: "k" }), "hf:l0:4:a%7Bb%7D{k}");
    assert.equal(layout.floor({ space: orders, key: "{42}:lines" }), "hf:s4:shop6:ordersf{42}{42}:lines");
    assert.deepEqual(layout.queue("hf:l0:1:n{k}"), ["hf:l0:1:nq{k}", "hf:l0:1:nw{k}"]);
    assert.deepEqual(
      [layout.domain, layout.clock(undefined), layout.clock("7")],
      ["hf:domain", "hf:clock", "hf:clock{7}"],
    );
    assert.deepEqual([layout.grantsChannel("me"), layout.topicChannel("a:b")], ["hf:s:me", "hf:t:a:b"]);
  });

  it("share a slot where their keys have one tag, with all that belongs to them", () => {
    for (const key of keys) {
      const lock = layout.name({ space: space("lock", "s", "locks"), key });
      const record = layout.name({ space: orders, key });
      const all = [record, layout.floor({ space: orders, key }), lock, ...layout.queue(lock)];
      assert.equal(new Set(all.map(slotOf)).size, 1, JSON.stringify(key));
    }
    const slot = (key: string): number => slotOf(layout.name({ space: orders, key }));
    for (const tag of ["42", "a%b", "a b", "ä"]) assert.equal(slot(tag), slot(`{${tag}}:lines`), tag);
    assert.equal(slot("x{42}"), slot("42"));
    assert.notEqual(slot("41"), slot("42"));
  });

  it("that are none of ours lead to nothing", () => {
    const queue = layout.queue(layout.name({ space: orders, key: "k" }));
    for (const name of [
      ...[
        "",
        "hf",
        "hf:",
        "hf:{k}",
        "hf:domain",
        "hf:clock",
        "hf:clock{k}",
        "xx:s4:shop6:orders{k}",
        "hf:s4:shop6:orders{}",
      ],
      ...["hf:s4:shop6:orders{k}x", "hf:s4:shop7:orders{k}", "hf:s04:shop6:orders{k}", "hf:z4:shop6:orders{k}"],
      ...["hf:s4:shop6:orders{k}%", "hf:s4:shop0:{k}", "hf:s4:shop6:orders{k"],
      ...["hf:s4:shop6:ord{ers}{k}", layout.floor({ space: orders, key: "k" }), ...queue],
    ]) {
      assert.equal(layout.parse(name), undefined, name);
    }
  });

  it("of a space begin with its head, and no others do", () => {
    const head = layout.head(orders);
    for (const key of everything()) {
      assert.equal(layout.name(key).startsWith(layout.head(key.space)), true);
      assert.equal(layout.name(key).startsWith(head), key.space.id === orders.id);
      assert.equal(layout.floor(key).startsWith(layout.head(key.space)), false);
    }
  });
});
