import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/lib/run.ts";

// What a new backend costs beside its own files: a copy of the sources gets one.

/** All that somebody writes by hand, but for the exports of package.json. */
const own: Readonly<Record<string, string>> = {
  "src/backends/toy/definition.ts": `import type { BackendDefinition } from "../../port/index.ts";

export const definition: BackendDefinition<undefined> = {
  name: "toy",
  schemes: ["toy[s]:"],
  about: "whoever plays with it",
  fromUrl: () => undefined,
  async open() {
    const { toyBackend } = await import("./index.ts");
    return toyBackend();
  },
};
`,
  "src/backends/toy/index.ts": `import { drawId } from "../../base/ids.ts";
import type { Backend } from "../../port/index.ts";
import { storeBackend } from "../store/index.ts";
import type { Cell, Store, Transaction } from "../store/store.ts";

/** Cells, and the revision of the last change. */
export class ToyServer {
  readonly domain = drawId();
  readonly #cells = new Map<string, Cell>();
  #revision = 0;

  store(): Store {
    return {
      atomic: "any",
      declares: {
        exclusion: "exact",
        fence: "clock",
        reads: "linearizable",
        durability: "none",
        ttlGranularity: 1,
        shared: "network",
        clock: "server",
        maxContent: 2 ** 20,
      },
      open: () => Promise.resolve({ domain: this.domain }),
      read: (keys) => Promise.resolve({ cells: keys.map((key) => this.#cells.get(key)), now: Date.now() }),
      commit: (transactions) => Promise.resolve(transactions.map((one) => this.#commit(one))),
      close: () => Promise.resolve(),
    };
  }

  #commit({ checks, changes }: Transaction): boolean {
    const isStale = [...checks, ...changes].some(({ key, revision }) => this.#cells.get(key)?.revision !== revision);
    if (isStale) return false;
    for (const { key, content } of changes) {
      if (content) this.#cells.set(key, { content: content.slice(), revision: ++this.#revision });
      else this.#cells.delete(key);
    }
    return true;
  }
}

const shared = new ToyServer();

export function toyBackend(server = shared): Backend {
  return storeBackend({ name: "toy", store: server.store() });
}
`,
  "src/entries/toy.ts": `import { toyBackend } from "../backends/toy/index.ts";
import { closingShared } from "../holdfast/closing.ts";
import { BackendCache, BackendLock, BackendStateStore } from "../holdfast/on-backend.ts";
import type { Backend } from "../port/index.ts";

/** A toy. */
export function toy(): Backend {
  return closingShared(toyBackend());
}

/** A state store in a toy. */
export class ToyStateStore<T = unknown> extends BackendStateStore<T> {}

/** A cache in a toy. */
export class ToyCache<V = unknown> extends BackendCache<V> {}

/** A lock in a toy. */
export class ToyLock extends BackendLock {}
`,
  "tests/backends/toy/subjects.ts": `import { ToyServer, toyBackend } from "../../../src/backends/toy/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { TestSubject } from "../../support/conform.ts";

export const subjects: readonly TestSubject[] = [
  {
    name: "toy",
    async place() {
      const server = new ToyServer();
      return placeOf(() => toyBackend(server));
    },
  },
];
`,
  "tests/backends/toy/guarantees.ts": `import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { toyBackend } from "../../../src/backends/toy/index.ts";

export async function columns(): Promise<Column[]> {
  const { capabilities } = await toyBackend().open();
  return [{ title: "\`toy:\`", capabilities }];
}
`,
};

const program = `
import { reachBackends } from "./scripts/lib/backends.ts";
import { checkDrivers, checkEntry } from "./scripts/lib/export-rules.ts";
import { definitions } from "./src/backends/definitions.generated.ts";
import { connect } from "./src/entries/index.ts";
import * as entry from "./src/entries/toy.ts";
const hf = await connect("toys:");
await hf.lock("l").run("k", async (lease) => hf.state("s").save("k", "kept", { lease }));
const unknown = await connect("other:").catch((error) => error.message);
console.log(JSON.stringify({
  backend: hf.backend,
  loaded: await new entry.ToyStateStore(entry.toy(), "s").load("k"),
  unknown,
  tested: (await reachBackends()).map(({ backend }) => backend).filter((name) => !/redis|valkey|keydb|memcached|dragon|postgres|pgbouncer|mysql|mariadb|nats|etcd|sqlite/.test(name)),
  problems: [...checkDrivers(".", definitions), ...checkEntry("toy", Object.keys(entry))],
}));
await hf.close();
`;

let copy: string;
before(() => {
  copy = mkdtempSync(path.join(tmpdir(), "holdfast-new-backend-"));
  const { include } = JSON.parse(readFileSync(path.join(root, "tsconfig.json"), "utf8")) as { include: string[] };
  for (const part of [...include, "package.json", "README.md", "tsconfig.json", ".prettierrc.json"]) {
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
});
after(() => rmSync(copy, { recursive: true, force: true }));

function put(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
  writeFileSync(path.join(copy, file), text);
}

/** Every file of the copy with its text. */
function snapshot(): Map<string, string> {
  const files = readdirSync(copy, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ parentPath, name }) => path.relative(copy, path.join(parentPath, name)));
  const ours = names.filter((name) => !name.startsWith("node_modules"));
  return new Map(ours.map((name) => [name, readFileSync(path.join(copy, name), "utf8")]));
}

async function node(...args: string[]): Promise<{ readonly failed: boolean; readonly output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  try {
    const options = { cwd: copy, env: { ...env, HOLDFAST_SUBJECTS: "toy" } };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
    return { failed: false, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    return { failed: true, output: stdout + stderr };
  }
}

async function passes(...args: string[]): Promise<string> {
  const { failed, output } = await node(...args);
  assert.ok(!failed, `${args.join(" ")}: ${output}`);
  return output;
}

void test("a new backend is its folders, its entry and its exports; one command does the rest", async () => {
  const old = snapshot();
  await passes("scripts/generate.ts", "--check");

  for (const [file, text] of Object.entries(own)) put(file, text);
  const manifest = JSON.parse(old.get("package.json") ?? "") as { exports: Record<string, object> };
  manifest.exports["./toy"] = { types: "./dist/entries/toy.d.ts", default: "./dist/entries/toy.js" };
  put("package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);
  const stale = await node("scripts/generate.ts", "--check");
  assert.ok(stale.failed);
  assert.match(stale.output, /^src\/backends\/definitions\.generated\.ts is not what .*: run `npm run generate`\n/);

  await passes("scripts/generate.ts");
  const now = snapshot();
  const changed = [...now.keys()].filter((file) => now.get(file) !== old.get(file)).toSorted();
  const generated = ["README.md", "src/backends/definitions.generated.ts"];
  assert.deepEqual(changed, [...Object.keys(own), ...generated, "package.json"].toSorted());
  assert.match(now.get("README.md") ?? "", /\| `toy:` +\|/);

  await passes("scripts/generate.ts", "--check");
  await passes("scripts/check-imports.ts");
  await passes("node_modules/typescript/bin/tsc", "--noEmit");
  await passes("node_modules/prettier/bin/prettier.cjs", "--check", ...changed);
  put("program.ts", program);
  const said = JSON.parse(await passes("program.ts")) as Record<string, unknown>;
  assert.match(String(said["unknown"]), /known schemes are .*toy\[s\]:/);
  assert.deepEqual(
    { ...said, unknown: undefined },
    {
      backend: "toy",
      loaded: "kept",
      unknown: undefined,
      tested: ["lmdb", "memory", "null", "store", "toy"],
      problems: [],
    },
  );
  assert.match(await passes("src/cli/main.ts", "help"), /toy\[s\]: +whoever plays with it/);
  assert.match(await passes("--test", "--test-reporter=tap", "tests/conformance/cache.test.ts"), /^# pass [1-9]\d+$/m);
});
