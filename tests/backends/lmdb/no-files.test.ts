import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { connect } from "../../../src/entries/index.ts";

const entries = new URL("../../../src/entries/index.ts", import.meta.url).href;

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "hf-files-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const skip = process.platform === "win32" ? "needs a shell that limits open files" : false;

test(
  "a process that has no more files to open is told so, and opens the directory once it has some",
  { skip },
  async (t) => {
    const program = `
    import { closeSync, openSync } from "node:fs";
    const { connect, isHoldfastError } = await import(${JSON.stringify(entries)});
    const use = async () => {
      const hf = await connect(process.argv[1]);
      await hf.state("s").save("k", 1).finally(() => hf.close());
    };
    await use(); // whatever is loaded once is
    const files = [];
    const told = { typed: 0, raw: [], opened: 0 };
    for (let free = 0; free < 40; free++) {
      try { for (;;) files.push(openSync("/dev/null")); } catch {}
      for (let i = 0; i < free; i++) closeSync(files.pop());
      try { await use(); told.opened++; }
      catch (error) { if (isHoldfastError(error)) told.typed++; else told.raw.push(String(error)); }
    }
    for (const file of files) closeSync(file);
    await use();
    console.log(JSON.stringify(told));`;
    const node = [process.execPath, "--input-type=module", "--eval", program, `file:${folder(t)}`];
    const limited = ["-c", 'ulimit -n 200 && exec "$@"', "sh", ...node];
    const { stdout } = await promisify(execFile)("sh", limited, { timeout: 60_000 });
    const { typed, raw, opened } = JSON.parse(stdout) as { typed: number; raw: string[]; opened: number };
    assert.deepEqual(raw, []);
    assert.ok(typed > 0 && opened > 0, stdout);
  },
);

test("what is no socket is left alone in the folder of sockets", async (t) => {
  const directory = folder(t);
  mkdirSync(path.join(directory, "sockets", "kept"), { recursive: true });
  const hf = await connect(`file:${directory}`);
  await hf.state("s").save("k", 1);
  await hf.close();
  assert.deepEqual(readdirSync(path.join(directory, "sockets")), ["kept"]);
});
