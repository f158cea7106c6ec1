import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import * as fc from "fast-check";

import { meaningOf, redactUrl as redact } from "../../src/backends/by-url.ts";
import { definitions } from "../../src/backends/definitions.generated.ts";
import { parseRedisUrl } from "../../src/backends/redis/url.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { parseUrl, type BackendUrl } from "../../src/url/backend-url.ts";

const schemes = definitions.flatMap((definition) => definition.schemes);
const redactUrl = (text: string): string => redact(text, definitions);

/** Everything that a URL means, also what it hides from those who print it; undefined is left out. */
function meaning(text: unknown): Record<string, unknown> {
  const { definition, options } = meaningOf(text, definitions);
  const url = parseUrl(text, schemes);
  const all: Record<string, unknown> = {
    scheme: url.scheme,
    ...(definition.name === "redis" ? servers(url) : (options as object | undefined)),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function servers(url: BackendUrl): Record<string, unknown> {
  const { hosts, credentials, params, ...rest } = parseRedisUrl(url.withPassword());
  const named = params.names().map((name) => [name, params.get(name)]);
  return {
    ...rest,
    username: credentials.username,
    password: credentials.password,
    hosts: hosts.map(({ host, port }) => (port === undefined ? [host] : [host, port])),
    params: named.length === 0 ? undefined : Object.fromEntries(named),
  };
}

const redis = { scheme: "redis", mode: "single", tls: false, hosts: [["h"]] };

const accepted: [string, Record<string, unknown>][] = [
  ["file:./data", { scheme: "file", path: resolve("data") }],
  ["file:data", { scheme: "file", path: resolve("data") }],
  ["file:../a/./b/", { scheme: "file", path: resolve("../a/b") }],
  ["file:/abs/dir", { scheme: "file", path: resolve("/abs/dir") }],
  ["file:///abs/dir", { scheme: "file", path: resolve("/abs/dir") }],
  ["file://localhost/abs", { scheme: "file", path: resolve("/abs") }],
  ["FILE:./data", { scheme: "file", path: resolve("data") }],
  ["file:./caf%C3%A9%20100%25", { scheme: "file", path: resolve("café 100%") }],
  ["sqlite:./data.db", { scheme: "sqlite", path: resolve("data.db") }],
  ["sqlite:///abs/data.db?prefix=shop_", { scheme: "sqlite", path: resolve("/abs/data.db"), prefix: "shop_" }],
  ["file:./a@b:c,d", { scheme: "file", path: resolve("a@b:c,d") }],
  ["memory:", { scheme: "memory" }],
  ["memory:orders", { scheme: "memory", name: "orders" }],
  ["memory:a%2Fb/c", { scheme: "memory", name: "a/b/c" }],
  ["null:", { scheme: "null" }],
  ["redis://h", redis],
  ["redis://h/", redis],
  ["REDIS://H.Example.", { ...redis, hosts: [["h.example."]] }],
  ["redis://h:6379/0", { ...redis, hosts: [["h", 6379]], database: 0 }],
  ["redis://h/15?a=b=c&d=+", { ...redis, database: 15, params: { a: "b=c", d: "+" } }],
  ["redis://:p%40ss@h", { ...redis, password: "p@ss" }],
  ["redis://me@h", { ...redis, username: "me" }],
  ["redis://me:a:b@h", { ...redis, username: "me", password: "a:b" }],
  ["redis://@h", redis],
  ["rediss://h", { ...redis, scheme: "rediss", tls: true }],
  ["valkey://h", { ...redis, scheme: "valkey" }],
  ["valkeys://[::1]:7", { ...redis, scheme: "valkeys", tls: true, hosts: [["::1", 7]] }],
  ["redis://[FE80::1%25Eth0]", { ...redis, hosts: [["fe80::1%Eth0"]] }],
  ["redis://%2Frun%2FRedis.sock", { ...redis, hosts: [["/run/Redis.sock"]] }],
  [
    "redis+cluster://a,b:7001,[::2]",
    { ...redis, scheme: "redis+cluster", mode: "cluster", hosts: [["a"], ["b", 7001], ["::2"]] },
  ],
  ["rediss+cluster://a/0", { ...redis, scheme: "rediss+cluster", mode: "cluster", tls: true, hosts: [["a"]] }],
  ["valkeys+cluster://a", { ...redis, scheme: "valkeys+cluster", mode: "cluster", tls: true, hosts: [["a"]] }],
  [
    "redis+sentinel://a:1,b:2/my%20master",
    {
      ...redis,
      scheme: "redis+sentinel",
      mode: "sentinel",
      hosts: [
        ["a", 1],
        ["b", 2],
      ],
      master: "my master",
    },
  ],
  [
    "valkey+sentinel://u:p@a/m/3",
    {
      ...redis,
      scheme: "valkey+sentinel",
      mode: "sentinel",
      hosts: [["a"]],
      master: "m",
      database: 3,
      username: "u",
      password: "p",
    },
  ],
];

const refused: [string, RegExp][] = [
  ["", /empty/],
  ["./data", /no scheme; the known schemes are etcd.*, file:/],
  ["localhost:6379", /unknown; the known schemes are/],
  ["C:\\data", /scheme is unknown/],
  ["//h", /no scheme/],
  [":", /no scheme/],
  ["1a://h", /no scheme/],
  ["http://h", /scheme is unknown/],
  ["redi://h", /scheme is unknown/],
  ["redisss://h", /scheme is unknown/],
  ["redis+cluster+sentinel://h", /scheme is unknown/],
  ["memcache://h", /scheme is unknown/],
  ["memcachedss://h", /scheme is unknown/],
  ["redis+other://h", /scheme is unknown/],
  ["redis://user:12/rest@h", /@ follows the first slash/],
  [" redis://h", /white space/],
  ["redis://h\n", /white space/],
  ["redis://h\u0000", /control/],
  ["redis://u:p\u007f@h", /control/],
  ["redis://u:p\u00a0@h", /white space/],
  ["file:./my dir", /white space/],
  ["file:./\ud800", /surrogate/],
  ["redis://h#x", /fragment/],
  ["redis://u:p#w@h", /fragment.*%23/],
  ["file:./data#1", /fragment/],
  ["file:", /needs a directory/],
  ["file:?a=1", /needs a directory/],
  ["file://host/dir", /names no host/],
  ["file://./dir", /file:\.\/dir/],
  ["sqlite:", /needs a file, such as sqlite:\.\/data\.db/],
  ["sqlite://host/data.db", /names no host/],
  ["sqlite:./data.db?mode=ro", /has the parameters prefix/],
  ["file:./100%", /path holds a %/],
  ["file:./a%00b", /NUL/],
  ["memory://x", /memory:name/],
  ["memory:%zz", /name holds a %/],
  ["memory:?a=1", /takes no parameter/],
  ["file:./data?a", /takes no parameter/],
  ["null:x", /nothing may follow/],
  ["null://", /nothing may follow/],
  ["redis:h", /followed by \/\//],
  ["redis:/h", /followed by \/\//],
  ["redis://", /host 1 is empty/],
  ["redis:///0", /host 1 is empty/],
  ["redis://u:p@", /host 1 is empty/],
  ["redis://:6379", /host 1 is empty/],
  ["redis+cluster://a,,b", /host 2 is empty/],
  ["redis+cluster://a,", /host 2 is empty/],
  ["redis://h:", /port/],
  ["redis://h:0", /port/],
  ["redis://h:65536", /port/],
  ["redis://h:-1", /port/],
  ["redis://h:1e3", /port/],
  ["redis://h:6379x", /port/],
  ["redis://h:000006379", /port/],
  ["redis://::1", /brackets/],
  ["redis://[::1", /brackets/],
  ["redis://[::1]x", /brackets/],
  ["redis://[::g]", /no IPv6 address/],
  ["redis://[127.0.0.1]", /no IPv6 address/],
  ["redis://[]", /no IPv6 address/],
  ["redis://a..b", /no host name/],
  ["redis://a/b/c", /number of a database/],
  ["redis://ho%20st", /no host name/],
  ["redis://ho!st", /no host name/],
  ["redis://bücher.example", /no host name.*xn--/],
  [`redis://${"a.".repeat(127)}`, /no host name/],
  ["redis://h%zz", /host 1 holds a %/],
  ["redis://%2Fsock:1", /socket and has a port/],
  ["redis://a@b@h", /two @/],
  ["redis://u%:p@h", /user holds a %/],
  ["redis://u:p%4@h", /password holds a %/],
  ["redis://u:%ff@h", /password holds a %/],
  ["redis://a,b", /one host; a cluster is written/],
  ["redis://h/x", /whole number/],
  ["redis://h/-1", /whole number/],
  ["redis+cluster://a/1", /no database but 0/],
  ["redis+cluster://a,%2Fsock", /socket/],
  ["redis+sentinel://a", /master's name/],
  ["redis+sentinel://a/", /master's name/],
  ["redis+sentinel://a/m/0/x", /master's name/],
  ["redis+sentinel://a/m/x", /whole number/],
  ["redis+sentinel://%2Fsock/m", /socket/],
  ["redis://h?a=1&a=2", /parameter 2 repeats/],
  ["redis://h?a=1&%61=2", /parameter 2 repeats/],
  ["redis://h?a=1&", /parameter 2 has no name/],
  ["redis://h?=1", /parameter 1 has no name/],
  ["redis://h?a=%", /parameter 1 holds a %/],
];

function failure(url: unknown): Error {
  try {
    meaning(url);
  } catch (error) {
    assert.ok(isHoldfastError(error, "INVALID_ARGUMENT"), String(error));
    return error;
  }
  return assert.fail("it was not refused");
}

describe("parseUrl accepts", () => {
  for (const [url, expected] of accepted) {
    test(url, () => assert.deepEqual(meaning(url), expected));
  }

  test("a question mark within a parameter", () => {
    assert.deepEqual(meaning("redis://h?a=1?b"), { ...redis, params: { a: "1?b" } });
  });

  test("a parameter named __proto__", () => {
    assert.equal(parseRedisUrl("redis://h?__proto__=1").params.get("__proto__"), "1");
    assert.equal(parseRedisUrl("redis://h").params.get("constructor"), undefined);
  });
});

describe("parseUrl refuses", () => {
  for (const [url, why] of refused) {
    test(JSON.stringify(url), () => assert.match(failure(url).message, why));
  }

  for (const url of [undefined, null, 7, {}, new URL("redis://h")]) {
    test(`what is no string: ${inspect(url).split("\n", 1)[0]}`, () =>
      assert.match(failure(url).message, /must be a string/));
  }

  test("an unknown scheme, naming every known one", () => {
    const { message } = failure("kafka://h");
    for (const scheme of schemes) assert.ok(message.includes(scheme));
  });
});

const word = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
  .filter((text) => !text.includes("\0") && text.isWellFormed());
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const port = optional(fc.integer({ min: 1, max: 65_535 }));
const host = fc.tuple(
  fc.oneof(
    fc.domain().map((name) => name.toLowerCase()),
    fc.ipV4(),
    fc.ipV6().map((ip) => ip.toLowerCase()),
  ),
  port,
);
const params = fc.uniqueArray(fc.tuple(word, fc.oneof(word, fc.constant(""))), {
  maxLength: 3,
  selector: ([name]) => name,
});
const encode = (text: string | number): string => encodeURIComponent(text);

/** URLs of every server scheme with what they mean. */
const serverUrl = fc
  .record({
    shape: fc.constantFrom(
      ...["redis", "rediss", "valkey", "valkeys"].flatMap((scheme) => [
        { scheme, several: false, path: "number" },
        { scheme: `${scheme}+cluster`, several: true, path: "none" },
        { scheme: `${scheme}+sentinel`, several: true, path: "master" },
      ]),
    ),
    username: optional(word),
    password: optional(word),
    hosts: fc.array(host, { minLength: 1, maxLength: 4 }),
    name: word,
    number: optional(fc.nat({ max: 99 })),
    params,
  })
  .map(({ shape, username, password, hosts, name, number, params: pairs }) => {
    const named = shape.several ? hosts : hosts.slice(0, 1);
    const expected: Record<string, unknown> = { scheme: shape.scheme };
    let user = "";
    if (username !== undefined) user = encode((expected["username"] = username));
    if (password !== undefined) user += `:${encode((expected["password"] = password))}`;
    expected["hosts"] = named.map(([address, at]) => (at === undefined ? [address] : [address, at]));
    let path = "";
    if (shape.path === "master") path = `/${encode((expected["master"] = name))}`;
    if ((shape.path === "number" || shape.path === "master") && number !== undefined)
      path += `/${(expected["database"] = number)}`;
    if (pairs.length > 0) expected["params"] = Object.fromEntries(pairs);
    const list = named.map(
      ([address, at]) => (address.includes(":") ? `[${address}]` : address) + (at === undefined ? "" : `:${at}`),
    );
    const query = pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join("&");
    const url = `${shape.scheme}://${user === "" ? "" : `${user}@`}${list.join(",")}${path}${query === "" ? "" : `?${query}`}`;
    return { url, expected };
  });

describe("a URL", () => {
  test("of servers gives every part", () => {
    fc.assert(
      fc.property(serverUrl, ({ url, expected }) => {
        const { mode: _, tls: __, ...rest } = meaning(url);
        assert.deepEqual(rest, expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("of a directory names any", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (steps) => {
        const { path } = meaning(`file:./${steps.map(encode).join("/")}`);
        assert.equal(path, resolve(join(".", ...steps)));
      }),
    );
  });

  test("agrees with the platform where it can parse the URL too", () => {
    fc.assert(
      fc.property(serverUrl, ({ url }) => {
        const target = parseRedisUrl(url);
        fc.pre(target.hosts.length === 1);
        const platform = new URL(url);
        assert.equal(decodeURIComponent(platform.username), target.credentials.username ?? "");
        assert.equal(decodeURIComponent(platform.password), target.credentials.password ?? "");
        assert.equal(platform.port, String(target.hosts[0]?.port ?? ""));
      }),
    );
  });

  test("is given whole to a driver that takes one", () => {
    fc.assert(fc.property(serverUrl, ({ url }) => assert.equal(parseUrl(url, schemes).withPassword(), url)));
  });
});

const SECRET = "s3cr3tXyZZy";

/** All that a person could get to see of an object. */
function shown(value: unknown): string {
  const options = { depth: null, showHidden: true, getters: false } as const;
  const error = value instanceof Error ? [value.message, value.stack, String(value.cause)] : [];
  return [...error, inspect(value, options), JSON.stringify(value), String(value)].join("\n").toLowerCase();
}

describe("secrets", () => {
  const noise = fc.constantFrom(
    ...[
      "redis",
      "postgres",
      "mongodb+srv",
      "file",
      "memory",
      "null",
      "http",
      "redis+sentinel",
      ":",
      "//",
      "/",
      "@",
      "@",
      ",",
      "?",
      "&",
    ],
    ...[
      "=",
      "#",
      "%",
      "%zz",
      "%00",
      "[",
      "]",
      "::1",
      " ",
      "\n",
      "\ud800",
      "h",
      "user",
      "6379",
      "99999",
      "..",
      "a=1",
      SECRET,
    ],
  );

  test("of a URL that is refused are in no part of the error, wherever they stand", () => {
    let failures = 0;
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 10 }), fc.array(noise, { maxLength: 10 }), (before, after) => {
        const url = `${before.join("")}${SECRET}${after.join("")}`;
        try {
          meaning(url);
        } catch (error) {
          failures++;
          assert.ok(isHoldfastError(error, "INVALID_ARGUMENT"), "nothing else is thrown");
          assert.ok(!shown(error).includes(SECRET.toLowerCase()), "the error shows it");
          assert.equal(redactUrl(url), "***");
        }
      }),
      { numRuns: 5000 },
    );
    assert.ok(failures > 1000);
  });

  test("planted anywhere in each of the refused URLs are shown by none", () => {
    let failures = 0;
    for (const [url] of refused) {
      for (let at = 0; at <= Math.min(url.length, 60); at++) {
        try {
          meaning(`${url.slice(0, at)}${SECRET}${url.slice(at)}`);
        } catch (error) {
          failures++;
          assert.ok(!shown(error).includes(SECRET.toLowerCase()), `at ${at} of ${url}`);
        }
      }
    }
    assert.ok(failures > refused.length);
  });

  test("of a target are shown by neither inspect nor JSON", () => {
    const target = parseUrl(`redis://${SECRET}:${SECRET}@h/0?sentinelPassword=${SECRET}`, schemes);
    assert.ok(!shown(target).includes(SECRET.toLowerCase()));
    assert.ok(!shown(Object.assign({}, target)).includes(SECRET.toLowerCase()));
  });

  test("are replaced by redactUrl, and nothing else is", () => {
    assert.equal(redactUrl(`redis://me:${SECRET}@h:1/2?a=${SECRET}&b`), "redis://***:***@h:1/2?a=***&b=***");
    assert.equal(redactUrl(`redis://:${SECRET}@h`), "redis://:***@h");
    assert.equal(redactUrl(`redis://${SECRET}@h`), "redis://***@h");
    assert.equal(redactUrl("redis+sentinel://a,[::1]:2/m"), "redis+sentinel://a,[::1]:2/m");
    assert.equal(redactUrl("memory:orders"), "memory:orders");
    assert.equal(redactUrl(`redis://h:1?${SECRET}@h`), "redis://h:1?***=***");
  });

  test("are in no redacted URL", () => {
    fc.assert(
      fc.property(serverUrl, fc.constantFrom("username", "password", "param"), ({ url }, where) => {
        const { scheme } = parseUrl(url, schemes);
        const rest = url.slice(url.indexOf("://") + 3).replace(/^[^@/?]*@/, "");
        const user = where === "username" ? `${SECRET}:x@` : where === "password" ? `x:${SECRET}@` : "";
        const query = where === "param" ? `${rest.includes("?") ? "&" : "?"}a-long-name=${SECRET}` : "";
        const redacted = redactUrl(`${scheme}://${user}${rest}${query}`);
        assert.ok(redacted.startsWith(`${scheme}://`));
        assert.ok(!redacted.includes(SECRET));
      }),
    );
  });
});
