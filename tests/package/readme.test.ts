import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { findServer as findEtcd } from "../backends/etcd/servers.ts";
import { findServer as findMemcached } from "../backends/memcached/servers.ts";
import { findServer as findMysql } from "../backends/mysql/servers.ts";
import { findServer as findNats } from "../backends/nats/servers.ts";
import { findServer as findPostgres } from "../backends/postgres/servers.ts";
import { findServer as findRedis } from "../backends/redis/servers.ts";
import { shared as sharedEtcd } from "../support/etcd/shared.ts";
import { sharedMemcached } from "../support/memcached/server.ts";
import { sharedNats } from "../support/nats/server.ts";
import { shared } from "../support/redis/shared.ts";
import { sharedServer } from "../support/sql/shared.ts";
import { createConsumer, type Consumer } from "./support/consumer.ts";
import { execute, succeed } from "./support/process.ts";
import { readSnippets, type Snippet } from "./support/snippets.ts";

const pages = ["README.md"];
if (existsSync(path.join(root, "docs"))) {
  pages.push(
    ...readdirSync(path.join(root, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  );
}

const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** A server that pages speak of, which is another one here, and the drivers that they import or need for it. */
interface SomeServer {
  readonly address: string;
  readonly drivers: readonly string[];
  readonly isThere: () => boolean;
  readonly start: () => Promise<{ readonly url: string }>;
}

const servers: readonly SomeServer[] = [
  {
    address: "redis://localhost:6379",
    drivers: ["redis", "ioredis"],
    isThere: () => findRedis("redis") !== undefined,
    start: async () => shared.single("redis"),
  },
  {
    address: "postgres://localhost:5432/mydb",
    drivers: ["pg", "@types/pg"],
    isThere: () => findPostgres("postgres15") !== undefined,
    start: async () => sharedServer("postgres15"),
  },
  {
    address: "memcached://localhost:11211",
    drivers: [],
    isThere: () => findMemcached("memcached16") !== undefined,
    start: async () => sharedMemcached("memcached16"),
  },
  {
    address: "etcd://localhost:2379",
    drivers: [],
    isThere: () => findEtcd("etcd34") !== undefined,
    start: async () => sharedEtcd.single("etcd34"),
  },
  {
    address: "mysql://root@localhost:3306/mydb",
    drivers: ["mysql2"],
    isThere: () => findMysql("mariadb") !== undefined,
    start: async () => sharedServer("mariadb"),
  },
  {
    address: "nats://localhost:4222",
    drivers: ["@nats-io/transport-node"],
    isThere: () => findNats("nats") !== undefined,
    start: async () => sharedNats("nats"),
  },
];
const namedIn = (text: string): readonly SomeServer[] => servers.filter(({ address }) => text.includes(address));

/** Why a snippet cannot run here, if it cannot. */
function obstacleTo(code: string): string | false {
  const missing = namedIn(code).find(({ isThere }) => !isThere());
  return missing ? `there is no server for ${missing.address}` : false;
}

/** The code, with the addresses of servers that are there. */
async function onServer(code: string): Promise<string> {
  let own = code;
  for (const { address, start } of namedIn(code)) own = own.replaceAll(address, (await start()).url);
  return own;
}

describe("the README", () => {
  const text = readFileSync(path.join(root, "README.md"), "utf8");

  it("begins with code by line 15", () => {
    const first = text.split("\n").findIndex((line) => /^```(ts|js)\b/.test(line));
    assert.ok(first >= 0 && first < 15, `the first code is on line ${first + 1}`);
  });

  it("gives the two commands that set the repository up", () => {
    const commands = text.split("\n");
    for (const command of ["npm ci && npm run demo", "npm ci && npm test"]) {
      assert.ok(commands.includes(command), `no line "${command}"`);
    }
  });
});

// The pages share a project, in folders of their own: what goes without a driver is proved in `loading.test.ts`.
let consumer: Consumer;
before(async () => {
  const drivers = servers.flatMap((server) =>
    server.drivers.map((name) => `${name}@${manifest.devDependencies[name]}`),
  );
  consumer = await createConsumer({ optional: true, packages: ["@types/node@20", ...drivers] });
});
after(() => consumer.remove());

/** Those in TypeScript, from the project's folder on. */
const programs: string[] = [];

for (const page of pages) {
  describe(`the code of ${page}`, () => {
    const text = readFileSync(path.join(root, page), "utf8");
    const snippets = readSnippets(text);
    /** Of the page, from the project's folder on. */
    const folder = path.basename(page, ".md");
    before(() => void mkdirSync(path.join(consumer.folder, folder, "shell"), { recursive: true }));

    const files: Snippet[] = [];
    for (const snippet of snippets) {
      const name = `line-${snippet.line}`;
      if (snippet.language === "file") {
        files.push(snippet);
        it(`line ${snippet.line}: ${snippet.file} is stored`, () =>
          store(path.join(consumer.folder, folder, "shell"), [snippet]));
      } else if (snippet.language === "sh") {
        for (const command of commandsOf(snippet.code)) {
          it(`line ${snippet.line}: ${command}`, { skip: obstacleTo(command) }, async () =>
            runCommand(folder, await onServer(command)),
          );
        }
      } else {
        const beside = [...files];
        const file = `${folder}/${name}/main.${extensionOf(snippet)}`;
        if (snippet.language === "ts") programs.push(file);
        const skip = obstacleTo(snippet.code);
        // Its types are looked at all the same.
        if (skip !== false) before(() => void consumer.write(file, `${snippet.code}\n`));
        it(`line ${snippet.line} runs`, { skip }, async () => {
          consumer.write(file, `${await onServer(snippet.code)}\n`);
          const cwd = path.join(consumer.folder, folder, name);
          store(cwd, beside);
          await succeed(process.execPath, [path.basename(file)], { cwd, timeoutMs: 60_000 });
        });
      }
    }
  });
}

it("the code of the pages has the types that it claims", async () => {
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
  };
  assert.ok(programs.length > pages.length);
  consumer.write("tsconfig.json", JSON.stringify({ compilerOptions, files: programs }));
  const compiler = path.join(root, "node_modules/.bin/tsc");
  const { code, stdout } = await execute(compiler, ["-p", "tsconfig.json"], { cwd: consumer.folder });
  assert.equal(code, 0, stdout);
});

function store(folder: string, files: readonly Snippet[]): void {
  for (const { file, code } of files) {
    assert.ok(file);
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), `${code}\n`);
  }
}

function extensionOf(snippet: Snippet): string {
  if (snippet.language === "ts") return "ts";
  return /\brequire\(/.test(snippet.code) ? "cjs" : "mjs";
}

/** The commands of a block: comments and the prompt removed, a line that ends with `\` joined with the next. */
function commandsOf(code: string): string[] {
  return code
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) =>
      line
        .replace(/^\$ /, "")
        .replace(/(^|\s)#.*$/, "")
        .trim(),
    )
    .filter((line) => line !== "");
}

/** Runs a command, except those that set up this repository or install packages: of these it checks what they name. */
async function runCommand(folder: string, command: string): Promise<void> {
  if (/^npm (ci|test|run)\b/.test(command)) {
    for (const part of command.split("&&").map((text) => text.trim())) {
      const script = /^npm (?:run )?([\w:]+)/.exec(part)?.[1] ?? "";
      assert.ok(script === "ci" || script in manifest.scripts, `no script "${script}"`);
    }
  } else if (/^npm (install|i) /.test(command)) {
    const { optionalDependencies, peerDependencies } = manifest;
    const known = new Set(["holdfast", ...Object.keys({ ...optionalDependencies, ...peerDependencies })]);
    for (const name of command.split(/\s+/).slice(2)) assert.ok(known.has(name), `${name} is no package of ours`);
  } else {
    const cwd = path.join(consumer.folder, folder, "shell");
    const bin = [path.dirname(process.execPath), path.join(consumer.folder, "node_modules/.bin")];
    await succeed("bash", ["-euo", "pipefail", "-c", command], { cwd, path: bin, timeoutMs: 120_000 });
  }
}
