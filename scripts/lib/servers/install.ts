import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { alone, serverCache } from "./cache.ts";
import { findProgram, nameOf, type Wanted } from "./find.ts";

/**
 * Unpacks the servers that this machine lacks, where it can: as root on Debian or Ubuntu. Nothing of the machine itself is changed
 * but for `debootstrap`, and no service is ever started, since packages are unpacked and not installed. Returns the reasons
 * why servers are missing.
 */
export async function installServers(
  wanted: Readonly<Record<string, Wanted>>,
  say: (line: string) => void,
): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  const lacking = (): [string, Wanted][] =>
    Object.entries(wanted).filter(([kind, one]) => one.debian && findProgram(kind, one) === undefined);
  if (lacking().length === 0) return reasons;
  const obstacle = whyNot();
  if (obstacle === undefined) {
    await alone(async () => {
      for (const folder of new Set(lacking().flatMap(([, { debian }]) => debian?.folder ?? []))) {
        const inFolder = Object.values(wanted).filter(({ debian }) => debian?.folder === folder);
        const files = new Set(inFolder.map(({ file }) => path.basename(file)));
        const packages = new Set(inFolder.flatMap(({ debian }) => debian?.packages ?? []));
        const isOfSid = inFolder.some(({ debian }) => debian?.release === "sid");
        const start = performance.now();
        say(`== fetching ${[...files].join(", ")}${isOfSid ? " of Debian sid" : ""} into ${serverCache}`);
        const problem = await unpack(folder, isOfSid ? fromSid : fromHere, [...packages]);
        for (const [kind, { debian }] of lacking()) {
          if (problem !== undefined && debian?.folder === folder) reasons.set(kind, problem);
        }
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        say(`== fetching: ${problem === undefined ? "ok" : "FAILED"} in ${seconds} s`);
      }
    });
  }
  for (const [kind, one] of lacking()) {
    const reason = reasons.get(kind) ?? obstacle ?? "what was unpacked does not run here";
    reasons.set(kind, `${nameOf(one)} is not there, and ${reason}. Put it on the PATH.`);
  }
  return reasons;
}

function whyNot(): string | undefined {
  if (!existsSync("/etc/debian_version") || !existsSync("/usr/bin/apt-get")) {
    return "it can only be fetched on Debian and Ubuntu";
  }
  return userInfo().uid === 0 ? undefined : "only root can fetch it";
}

/** Undefined, or what went wrong. The folder is there complete or not at all. */
async function unpack(folder: string, script: string, packages: readonly string[]): Promise<string | undefined> {
  const target = path.join(serverCache, folder);
  const draft = `${target}.new`;
  const log = `${target}.log`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(log, { force: true });
  mkdirSync(draft, { recursive: true });
  const failed = await shell(script, draft, log, packages);
  if (failed !== undefined) {
    rmSync(draft, { recursive: true, force: true });
    return `fetching it failed: ${failed} (${log})`;
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(draft, target);
  return undefined;
}

/** Downloads packages with what they need and is not there, and unpacks them below "$1". Maintainer scripts do not run. */
const fromHere = `
  root="$1"; shift
  mkdir -p "$root/archives/partial"
  apt-get update
  apt-get install -y --no-install-recommends --reinstall --download-only -o Dir::Cache::archives="$root/archives" "$@"
  for package in "$root"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
  rm -r "$root/archives"`;

/** The same in a minimal root of Debian sid, whose own loader and libraries the servers are run with. */
const fromSid = `
  root="$1"; shift
  command -v debootstrap || { apt-get update; apt-get install -y --no-install-recommends debootstrap; }
  debootstrap --variant=minbase sid "$root"
  chroot "$root" apt-get clean
  chroot "$root" apt-get install -y --no-install-recommends --download-only "$@"
  for package in "$root"/var/cache/apt/archives/*.deb; do chroot "$root" dpkg-deb -x "/\${package#"$root/"}" /; done
  rm -r "$root"/var/cache/* "$root"/var/lib/apt/lists`;

/** Runs a script with the folder and the packages as its arguments. Undefined, or the last line that it wrote. */
async function shell(
  script: string,
  draft: string,
  log: string,
  packages: readonly string[],
): Promise<string | undefined> {
  const output = openSync(log, "a");
  const child = spawn("sh", ["-ec", script, "sh", draft, ...packages], {
    stdio: ["ignore", output, output],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
  });
  closeSync(output);
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signal) => resolve(status ?? signal ?? 1));
  });
  if (code === 0) return undefined;
  return readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? `it ended with ${code}`;
}
