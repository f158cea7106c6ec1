import { execFileSync } from "node:child_process";

/** Names and addresses that no other process of this machine uses. */
const own = process.pid % 60_000;
const net = `10.${200 + (own >> 11)}.${(own >> 3) & 255}`;
const first = (own & 7) * 32;

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}

/** Why no machines can be made here; undefined where they can. */
export function noMachines(): string | undefined {
  const probe = `hf-probe-${own}`;
  try {
    ip("netns", "add", probe);
    ip("netns", "del", probe);
    execFileSync("unshare", ["--pid", "--fork", "--mount-proc", "true"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return `network namespaces are not permitted here: ${(error as Error).message.split("\n")[0]}`;
  }
}

/**
 * Machines as far as the network and the processes go: each with a network of its own and a cable to this one, and with
 * process ids of its own. Remove them when done.
 */
export class Machines {
  /** Where the machines reach this one. */
  readonly address = `${net}.${first + 31}`;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
    try {
      ip("addr", "add", `${this.address}/32`, "dev", "lo");
      for (let i = 0; i < count; i++) this.#add(i);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** What runs a command on a machine. */
  on(machine: number, ...command: readonly string[]): readonly [string, ...string[]] {
    return [
      "ip",
      "netns",
      "exec",
      name(machine),
      "unshare",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      ...command,
    ];
  }

  /** Pulls a machine's cable: nothing is refused, everything is lost. */
  cut(machine: number): void {
    ip("link", "set", cable(machine), "down");
  }

  /** Puts it back. */
  join(machine: number): void {
    ip("link", "set", cable(machine), "up");
  }

  remove(): void {
    const steps = Array.from({ length: this.#count }, (_, i) => ["netns", "del", name(i)]);
    for (const step of [...steps, ["addr", "del", `${this.address}/32`, "dev", "lo"]]) {
      try {
        ip(...step);
      } catch {
        continue; // it was not made, or has gone already
      }
    }
  }

  #add(machine: number): void {
    const [here, there] = [`${net}.${first + machine * 4 + 1}`, `${net}.${first + machine * 4 + 2}`];
    const inside = (...args: readonly string[]): void => ip("-n", name(machine), ...args);
    ip("netns", "add", name(machine));
    ip("link", "add", cable(machine), "type", "veth", "peer", "name", "eth0", "netns", name(machine));
    ip("addr", "add", `${here}/30`, "dev", cable(machine));
    ip("link", "set", cable(machine), "up");
    inside("addr", "add", `${there}/30`, "dev", "eth0");
    inside("link", "set", "lo", "up");
    inside("link", "set", "eth0", "up");
    inside("route", "add", "default", "via", here);
  }
}

function name(machine: number): string {
  return `hf-${own}-${machine}`;
}

function cable(machine: number): string {
  return `hf${own}x${machine}`;
}
