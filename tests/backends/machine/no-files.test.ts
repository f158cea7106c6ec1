import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { connect } from "../../../src/entries/index.ts";
import { embedded } from "./support/processes.ts";

const entries = new URL("../../../src/entries/index.ts", import.meta.url).href;

const skip = process.platform === "win32" ? "needs a shell that limits open files" : false;

embedded(
  "a process that has no more files to open is told so, and opens the data once it has some",
  async (scene) => {
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
    const node = [process.execPath, "--input-type=module", "--eval", program, scene.url];
    const limited = ["-c", 'ulimit -n 200 && exec "$@"', "sh", ...node];
    const { stdout } = await promisify(execFile)("sh", limited, { timeout: 60_000 });
    const { typed, raw, opened } = JSON.parse(stdout) as { typed: number; raw: string[]; opened: number };
    assert.deepEqual(raw, []);
    assert.ok(typed > 0 && opened > 0, stdout);
  },
  { skip },
);

embedded("what is no socket is left alone in the folder of sockets", async (scene) => {
  const sockets = scene.kind.sockets(scene.folder);
  mkdirSync(path.join(sockets, "kept"), { recursive: true });
  const hf = await connect(scene.url);
  await hf.state("s").save("k", 1);
  await hf.close();
  assert.deepEqual(readdirSync(sockets), ["kept"]);
});
