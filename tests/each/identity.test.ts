import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { identity, isGone } from "../../src/each/identity.ts";

const module = new URL("../../src/each/identity.ts", import.meta.url).href;
const program = `const { identity, isGone } = await import(${JSON.stringify(module)});`;

/** Runs a command as another process may be run on this machine. */
const others = {
  "with a clock of its own": ["unshare", "--time", "--boottime", "1000"],
  "to which the processes of others are hidden": [
    "unshare",
    "--mount",
    "sh",
    "-c",
    `mount -t tmpfs none /proc/${process.pid} && exec "$@"`,
    "sh",
  ],
} as const;

for (const [name, [command, ...args]] of Object.entries(others)) {
  const usable = (): boolean => spawnSync(command, [...args, "true"], { stdio: "ignore" }).status === 0;
  const skip = usable() ? false : "such namespaces are not permitted here";
  test(`a live process is not gone for one ${name}`, { skip }, () => {
    const asked = `${program} console.log(isGone(process.argv[1]));`;
    const node = [process.execPath, "--input-type=module", "--eval", asked, identity()];
    const said = execFileSync(command, [...args, ...node], { encoding: "utf8" });
    assert.equal(said.trim(), "false");
  });
}

const linux = process.platform === "linux" ? false : "the proof is Linux's";

test("a process is gone once it has ended, and not before", { skip: linux }, async (t) => {
  const told = `${program} console.log(identity()); setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", told], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const label = said.toString().trim();
  assert.equal(isGone(label), false);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  assert.equal(isGone(label), true);
  assert.equal(isGone(identity()), false);
});
