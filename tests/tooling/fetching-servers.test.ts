import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Reach } from "../../scripts/lib/backends.ts";
import { findServer as findMysql } from "../backends/mysql/servers.ts";
import { findServer as findPostgres } from "../backends/postgres/servers.ts";
import { findServer as findRedis } from "../backends/redis/servers.ts";
import { serverCache } from "../../scripts/lib/servers/cache.ts";

const backends = path.join(import.meta.dirname, "../../scripts/lib/backends.ts");

/** What is reached with an empty cache, where nothing can be fetched. */
function reached(options: string, folder: string): Reach[] {
  const program = `
    import { reachBackends } from ${JSON.stringify(backends)};
    console.log(JSON.stringify(await reachBackends(${options})));`;
  for (const name of ["debootstrap", "apt-get"]) {
    const failing = path.join(folder, name);
    writeFileSync(failing, "#!/bin/sh\necho 'E: there is no network' >&2\nexit 1\n");
    chmodSync(failing, 0o755);
  }
  const { HOLDFAST_REACHED: _, ...env } = process.env;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    env: { ...env, XDG_CACHE_HOME: folder, PATH: `${folder}:${env["PATH"] ?? ""}` },
  });
  return JSON.parse(output) as Reach[];
}

/** What nobody has put on the PATH, by the names of its backends and what they say. */
const fetched = [
  [findRedis("valkey"), ["valkey", "valkey-sentinel", "valkey-cluster"], "valkey-server 9 or newer"],
  [findPostgres("postgres18"), ["postgres18"], "postgres 18 or newer"],
  [findPostgres("pgbouncer118"), ["pgbouncer118"], "pgbouncer 1.18"],
  [findMysql("mariadb"), ["mariadb"], "mariadbd 10.11 or newer"],
  [findMysql("mysql"), ["mysql"], "mysqld 8.0 or newer"],
] as const;
const lacking = fetched.filter(([program]) => program === undefined || program.root.startsWith(serverCache));
const skip = lacking.length > 0 ? false : "all servers are on the PATH";

void test("a server that is missing, and cannot be fetched, is told with the reason", { skip }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-fetch-"));
  try {
    const here = "there is no network|only root|it can only";
    for (const [options, reason] of [
      ["{ install() {} }", `is not there, and (fetching it failed: E: )?(${here})`],
      ["", "^it is not there: `npm test` fetches it where it can$"],
    ] as const) {
      const all = reached(options, folder);
      for (const [, names, program] of lacking) {
        for (const name of names) {
          const one = all.find(({ backend }) => backend === name);
          assert.match(one?.missing ?? "", new RegExp(options === "" ? reason : `^${program} ${reason}`));
          assert.equal(one?.version, undefined);
        }
      }
      assert.ok(all.some(({ backend, missing }) => backend === "memory" && missing === undefined));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
