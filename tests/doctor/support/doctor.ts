import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DoctorReport } from "../../../src/cli/doctor/report.ts";

const cli = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `holdfast doctor` in a process of its own. */
export async function doctor(...args: readonly string[]): Promise<Ended> {
  return command("doctor", ...args);
}

/** A command of `holdfast` in a process of its own. */
export async function command(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

/** What it says as JSON, and its exit code. */
export async function report(url: string): Promise<{ readonly code: number | null; readonly said: DoctorReport }> {
  const { code, out, err } = await doctor(url, "--json");
  if (out === "") throw new Error(`nothing was said: ${err}`);
  return { code, said: JSON.parse(out) as DoctorReport };
}
