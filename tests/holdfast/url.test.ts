import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import * as fc from "fast-check";

import { isHoldfastError } from "../../src/base/errors.ts";
import type { Target } from "../../src/base/url-target.ts";
import { formatUrl, redactUrl } from "../../src/base/url-format.ts";
import { KNOWN_SCHEMES, parseUrl } from "../../src/base/url.ts";

/** Everything in a target, also what it hides from those who print it; undefined is left out. */
function view(target: Target): Record<string, unknown> {
  const all: Record<string, unknown> = { ...target };
  const params = target.params.names().map((name) => [name, target.params.get(name)]);
  all["params"] = params.length === 0 ? undefined : Object.fromEntries(params);
  if ("credentials" in target) {
    delete all["credentials"];
    all["username"] = target.credentials.username;
    all["password"] = target.credentials.password;
    all["hosts"] = target.hosts.map(({ host, port }) => (port === undefined ? [host] : [host, port]));
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const redis = { kind: "redis", scheme: "redis", mode: "single", tls: false, hosts: [["h"]] };
const postgres = { kind: "postgres", scheme: "postgres", hosts: [["h"]] };

const accepted: [string, Record<string, unknown>][] = [
  ["file:./data", { kind: "file", scheme: "file", path: resolve("data") }],
  ["file:data", { kind: "file", scheme: "file", path: resolve("data") }],
  ["file:../a/./b/", { kind: "file", scheme: "file", path: resolve("../a/b") }],
  ["file:/abs/dir", { kind: "file", scheme: "file", path: resolve("/abs/dir") }],
  ["file:///abs/dir", { kind: "file", scheme: "file", path: resolve("/abs/dir") }],
  ["file://localhost/abs", { kind: "file", scheme: "file", path: resolve("/abs") }],
  ["FILE:./data", { kind: "file", scheme: "file", path: resolve("data") }],
  ["file:./caf%C3%A9%20100%25", { kind: "file", scheme: "file", path: resolve("café 100%") }],
  ["file:./a@b:c,d", { kind: "file", scheme: "file", path: resolve("a@b:c,d") }],
  [
    "file:./data?mapSize=1%2B1&readonly",
    { kind: "file", scheme: "file", path: resolve("data"), params: { mapSize: "1+1", readonly: "" } },
  ],
  ["memory:", { kind: "memory", scheme: "memory" }],
  ["memory:orders", { kind: "memory", scheme: "memory", name: "orders" }],
  ["memory:a%2Fb/c", { kind: "memory", scheme: "memory", name: "a/b/c" }],
  ["null:", { kind: "null", scheme: "null" }],
  ["null:?a=1", { kind: "null", scheme: "null", params: { a: "1" } }],
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
  ["memcached://a,b:11212", { kind: "memcached", scheme: "memcached", hosts: [["a"], ["b", 11212]] }],
  [
    "mongodb://a,b/?replicaSet=rs0",
    { kind: "mongodb", scheme: "mongodb", srv: false, hosts: [["a"], ["b"]], params: { replicaSet: "rs0" } },
  ],
  [
    "mongodb+srv://u:p@c.example.net/app",
    {
      kind: "mongodb",
      scheme: "mongodb+srv",
      srv: true,
      hosts: [["c.example.net"]],
      database: "app",
      username: "u",
      password: "p",
    },
  ],
  [
    "mongodb://%2Ftmp%2Fmongodb-27017.sock/app",
    { kind: "mongodb", scheme: "mongodb", srv: false, hosts: [["/tmp/mongodb-27017.sock"]], database: "app" },
  ],
  ["postgres://h/my%2Fdb?sslmode=require", { ...postgres, database: "my/db", params: { sslmode: "require" } }],
  [
    "postgresql://u@a:1,b:2/db",
    {
      ...postgres,
      scheme: "postgresql",
      hosts: [
        ["a", 1],
        ["b", 2],
      ],
      username: "u",
      database: "db",
    },
  ],
  ["postgres://127.0.0.1:5432", { ...postgres, hosts: [["127.0.0.1", 5432]] }],
  ["postgres://h:65535", { ...postgres, hosts: [["h", 65535]] }],
  [
    "mysql://u:p@h:3306/db",
    { kind: "mysql", scheme: "mysql", hosts: [["h", 3306]], username: "u", password: "p", database: "db" },
  ],
  ["mariadb://my_host-1.internal/", { kind: "mysql", scheme: "mariadb", hosts: [["my_host-1.internal"]] }],
];

const refused: [string, RegExp][] = [
  ["", /empty/],
  ["./data", /no scheme; a directory is written file:.*known schemes are/],
  ["localhost:6379", /unknown; the known schemes are/],
  ["C:\\data", /scheme is unknown/],
  ["//h", /no scheme/],
  [":", /no scheme/],
  ["1a://h", /no scheme/],
  ["http://h", /scheme is unknown/],
  ["redi://h", /scheme is unknown/],
  ["redisss://h", /scheme is unknown/],
  ["redis+cluster+sentinel://h", /scheme is unknown/],
  ["memcacheds://h", /scheme is unknown/],
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
  ["file:./100%", /path holds a %/],
  ["file:./a%00b", /NUL/],
  ["memory://x", /memory:name/],
  ["memory:%zz", /name holds a %/],
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
  ["memcached://a/x", /no path/],
  ["mongodb+srv://a,b", /one host/],
  ["mongodb+srv://a:1", /no port/],
  ["mongodb+srv://%2Fsock", /socket/],
  ["postgres://h/a/b", /one database name/],
  ["mysql://a,b/db", /one host/],
  ["redis://h?a=1&a=2", /parameter 2 repeats/],
  ["redis://h?a=1&%61=2", /parameter 2 repeats/],
  ["redis://h?a=1&", /parameter 2 has no name/],
  ["redis://h?=1", /parameter 1 has no name/],
  ["redis://h?a=%", /parameter 1 holds a %/],
];

function failure(url: unknown): Error {
  try {
    parseUrl(url);
  } catch (error) {
    assert.ok(isHoldfastError(error, "INVALID_ARGUMENT"), String(error));
    return error;
  }
  return assert.fail("it was not refused");
}

describe("parseUrl accepts", () => {
  for (const [url, expected] of accepted) {
    test(url, () => assert.deepEqual(view(parseUrl(url)), expected));
  }

  test("a question mark within a parameter", () => {
    assert.deepEqual(view(parseUrl("redis://h?a=1?b")), { ...redis, params: { a: "1?b" } });
  });

  test("a parameter named __proto__", () => {
    assert.equal(parseUrl("null:?__proto__=1").params.get("__proto__"), "1");
    assert.equal(parseUrl("null:").params.get("constructor"), undefined);
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
    for (const scheme of KNOWN_SCHEMES) assert.ok(message.includes(scheme));
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
      { scheme: "memcached", several: true, path: "none" },
      { scheme: "mongodb", several: true, path: "name" },
      { scheme: "postgres", several: true, path: "name" },
      { scheme: "postgresql", several: true, path: "name" },
      { scheme: "mysql", several: false, path: "name" },
      { scheme: "mariadb", several: false, path: "name" },
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
    if (shape.path === "name") path = `/${encode((expected["database"] = name))}`;
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

const localUrl = fc
  .tuple(fc.constantFrom("file:./", "file:/", "file:///", "memory:"), word, params)
  .map(([start, name, pairs]) => {
    const query = pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join("&");
    return `${start}${encode(name)}${query === "" ? "" : `?${query}`}`;
  });

describe("parseUrl and formatUrl", () => {
  test("find every part of a server's URL", () => {
    fc.assert(
      fc.property(serverUrl, ({ url, expected }) => {
        const { kind: _, mode: __, tls: ___, srv: ____, ...rest } = view(parseUrl(url));
        assert.deepEqual(rest, expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("find any directory", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (steps) => {
        const target = parseUrl(`file:./${steps.map(encode).join("/")}`);
        assert.equal(target.kind === "file" && target.path, resolve(join(".", ...steps)));
      }),
    );
  });

  test("are each other's inverse", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          serverUrl.map(({ url }) => url),
          localUrl,
          fc.constantFrom(...accepted.map(([url]) => url)),
        ),
        (url) => {
          const target = parseUrl(url);
          const formatted = formatUrl(target);
          assert.deepEqual(view(parseUrl(formatted)), view(target));
          assert.equal(formatUrl(parseUrl(formatted)), formatted);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("agree with the platform where it can parse the URL too", () => {
    fc.assert(
      fc.property(serverUrl, ({ url }) => {
        const target = parseUrl(url);
        fc.pre("credentials" in target && target.hosts.length === 1);
        const platform = new URL(formatUrl(target));
        assert.equal(decodeURIComponent(platform.username), target.credentials.username ?? "");
        assert.equal(decodeURIComponent(platform.password), target.credentials.password ?? "");
        assert.equal(platform.port, String(target.hosts[0]?.port ?? ""));
      }),
    );
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
          parseUrl(url);
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
          parseUrl(`${url.slice(0, at)}${SECRET}${url.slice(at)}`);
        } catch (error) {
          failures++;
          assert.ok(!shown(error).includes(SECRET.toLowerCase()), `at ${at} of ${url}`);
        }
      }
    }
    assert.ok(failures > refused.length);
  });

  test("of a target are shown by neither inspect nor JSON", () => {
    const target = parseUrl(`postgres://${SECRET}:${SECRET}@h/db?sslpassword=${SECRET}`);
    assert.ok(!shown(target).includes(SECRET.toLowerCase()));
    assert.ok(!shown({ ...target }).includes(SECRET.toLowerCase()));
  });

  test("are replaced by redactUrl, and nothing else is", () => {
    assert.equal(redactUrl(`redis://me:${SECRET}@h:1/2?a=${SECRET}&b`), "redis://***:***@h:1/2?a=***&b=***");
    assert.equal(redactUrl(`redis://:${SECRET}@h`), "redis://:***@h");
    assert.equal(redactUrl(`redis://${SECRET}@h`), "redis://***@h");
    assert.equal(redactUrl("redis+sentinel://a,[::1]:2/m"), "redis+sentinel://a,[::1]:2/m");
    assert.equal(redactUrl("memory:orders"), "memory:orders");
    assert.equal(redactUrl(parseUrl("mysql://u:p@h/db")), "mysql://***:***@h/db");
  });

  test("are in no redacted URL", () => {
    fc.assert(
      fc.property(serverUrl, fc.constantFrom("username", "password", "param"), ({ url }, where) => {
        const target = parseUrl(url);
        assert.ok("credentials" in target);
        const rest = url.slice(url.indexOf("://") + 3).replace(/^[^@/?]*@/, "");
        const user = where === "username" ? `${SECRET}:x@` : where === "password" ? `x:${SECRET}@` : "";
        const query = where === "param" ? `${rest.includes("?") ? "&" : "?"}a-long-name=${SECRET}` : "";
        const redacted = redactUrl(`${target.scheme}://${user}${rest}${query}`);
        assert.ok(redacted.startsWith(`${target.scheme}://`));
        assert.ok(!redacted.includes(SECRET));
      }),
    );
  });
});
