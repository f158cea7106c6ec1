import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { lmdbBackend, type LmdbOptions } from "../../../../src/backends/lmdb/index.ts";
import { space, type Key } from "../../../../src/base/keys.ts";
import type { Backend, Group, Operation, Outcome, Session, Signal } from "../../../../src/port/index.ts";
import type { Request } from "./child.ts";

const childFile = path.join(import.meta.dirname, "child.ts");

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly signal?: Signal;
  readonly at?: bigint;
  readonly acknowledged?: number;
}

/** A process of its own on a directory. */
export class Child {
  readonly process: ChildProcess;
  readonly signals: { readonly signal: Signal; readonly at: bigint }[] = [];
  /** Highest number of a pair that was acknowledged. */
  acknowledged = 0;
  readonly #answers = new Map<number, (message: Message) => void>();
  #ended = false;
  #onMessage: (() => void)[] = [];
  #id = 0;

  /** `through` is a command that runs the one behind it. */
  constructor(directory: string, through: readonly string[] = []) {
    const [command, ...args] = [...through, process.execPath, childFile, directory];
    this.process = spawn(command, args, {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.process.on("message", (message: Message) => {
      if (message.signal) this.signals.push({ signal: message.signal, at: message.at as bigint });
      if (message.acknowledged) this.acknowledged = message.acknowledged;
      if (message.id !== undefined) this.#answers.get(message.id)?.(message);
      for (const wake of this.#onMessage.splice(0)) wake();
    });
    this.process.once("exit", () => {
      this.#ended = true;
      for (const answer of this.#answers.values()) answer({ error: "the process ended" });
    });
  }

  ask(request: Request): Promise<unknown> {
    const id = this.#id++;
    return new Promise((resolve, reject) => {
      if (this.#ended) throw new Error("the process ended");
      this.#answers.set(id, ({ result, error }) => {
        this.#answers.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      });
      this.process.send({ id, request });
    });
  }

  async execute(...ops: Operation[]): Promise<Outcome> {
    return (await this.ask({ do: "execute", group: { ops } })) as Outcome;
  }

  /** Waits until what it told satisfies `done`. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#onMessage.push(resolve));
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exit;
  }
}

/** A fresh directory, with backends in this process and others on it, all ended with the test. */
export class Scene {
  readonly directory: string;
  readonly #backends: Backend[] = [];
  readonly #children: Child[] = [];

  constructor(test: TestContext) {
    this.directory = mkdtempSync(path.join(tmpdir(), "holdfast-lmdb-"));
    test.after(async () => {
      for (const child of this.#children) await child.kill();
      for (const backend of this.#backends) await backend.close();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  backend(options?: Omit<LmdbOptions, "path">): Backend {
    const backend = lmdbBackend({ path: path.join(this.directory, "data"), ...options });
    this.#backends.push(backend);
    return backend;
  }

  async child(...through: string[]): Promise<Child> {
    const child = this.started(...through);
    await child.ask({ do: "open" });
    return child;
  }

  /** A process that has not opened the directory. */
  started(...through: string[]): Child {
    return this.startedAt("", ...through);
  }

  /** As {@link started}, on a directory below. */
  startedAt(below: string, ...through: string[]): Child {
    const child = new Child(path.join(this.directory, "data", below), through);
    this.#children.push(child);
    return child;
  }
}

const records = space("state", "", "records");
const locks = space("lock", "", "locks");

export function record(key: string): Key {
  return { space: records, key };
}

export function lock(key: string): Key {
  return { space: locks, key };
}

/** Runs a group. */
export async function run(session: Session, group: Group, timeout = 20_000): Promise<Outcome> {
  const [outcome] = await session.execute([group], { deadline: performance.now() + timeout, claim: () => true });
  return outcome as Outcome;
}

/** Runs a group that must succeed; its results. */
export async function results(session: Session, ...ops: Operation[]): Promise<readonly unknown[]> {
  const outcome = await run(session, { ops });
  if (outcome.ok) return outcome.results;
  throw new Error(`refused: ${outcome.why}`, { cause: outcome });
}
