import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { space, type Key } from "../../../../src/base/keys.ts";
import type { Backend, Group, Operation, Outcome, Session, Signal } from "../../../../src/port/index.ts";
import type { Request } from "./child.ts";
import { backendAt, kinds, type Kind } from "./kinds.ts";

const childFile = path.join(import.meta.dirname, "child.ts");

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly signal?: Signal;
  readonly at?: bigint;
  readonly acknowledged?: number;
}

/** A process of its own on data. */
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
  constructor(url: string, through: readonly string[] = []) {
    const [command, ...args] = [...through, process.execPath, childFile, url];
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

/** Fresh data, with backends in this process and others on it, all ended with the test. */
export class Scene {
  readonly kind: Kind;
  readonly folder: string;
  readonly url: string;
  readonly #backends: Backend[] = [];
  readonly #children: Child[] = [];

  constructor(t: TestContext, kind: Kind) {
    this.kind = kind;
    this.folder = mkdtempSync(path.join(tmpdir(), `holdfast-${kind.name}-`));
    this.url = kind.url(this.folder);
    t.after(async () => {
      for (const child of this.#children) await child.kill();
      for (const backend of this.#backends) await backend.close();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  async backend(): Promise<Backend> {
    const backend = await backendAt(this.url);
    this.#backends.push(backend);
    return backend;
  }

  async session(): Promise<Session> {
    return (await this.backend()).session();
  }

  async child(...through: string[]): Promise<Child> {
    const child = this.started(...through);
    await child.ask({ do: "open" });
    return child;
  }

  /** A process that has not opened the data. */
  started(...through: string[]): Child {
    return this.startedAt(this.url, ...through);
  }

  /** As {@link started}, on data somewhere else. */
  startedAt(url: string, ...through: string[]): Child {
    const child = new Child(url, through);
    this.#children.push(child);
    return child;
  }
}

/** Registers a test for each embedded backend. */
export function embedded(
  title: string,
  body: (scene: Scene, t: TestContext) => Promise<void>,
  options: { readonly skip?: string | false } = {},
): void {
  for (const kind of kinds) test(`${kind.name}: ${title}`, options, async (t) => body(new Scene(t, kind), t));
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
