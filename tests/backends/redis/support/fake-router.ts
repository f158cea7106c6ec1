import { space, type Key } from "../../../../src/base/keys.ts";
import { deferred, type Deferred } from "../../../../src/base/async.ts";
import {
  RedisFailure,
  type Arg,
  type Node,
  type PushListener,
  type Reply,
  type Router,
  type Subscriber,
} from "../../../../src/backends/redis/router.ts";
import type { SignalLayout } from "../../../../src/backends/redis/signals/seam.ts";

/** Names without any escaping, for keys that need none. */
export const plainLayout: SignalLayout = {
  grantsChannel: (session) => `hf:s:${session}`,
  topicChannel: (topic) => `hf:t:${topic}`,
  head: ({ kind, service, name }) => `hf:${kind}:${service}:${name}{`,
  parse(physical): Key | undefined {
    const [, kind, service, name, key] = /^hf:(\w+):(\w*):(\w+)\{(.+)\}$/su.exec(physical) ?? [];
    if (kind !== "state" && kind !== "lock") return undefined;
    return { space: space(kind, service ?? "", name ?? ""), key: key ?? "" };
  },
};

/** A primary that keeps its flags, and can be made to forget or to forbid. */
export class FakeNode implements Node {
  readonly id: string;
  flags: string;
  /** Which of the subcommands of CONFIG this user may not use. */
  forbidden: readonly ("GET" | "SET")[] = [];
  /** Whether it takes no flags at all. */
  mute = false;
  /** Set while the node does not answer. */
  away = false;
  readonly sent: string[] = [];

  constructor(id: string, flags = "") {
    this.id = id;
    this.flags = flags;
  }

  async send(args: readonly Arg[]): Promise<Reply> {
    const [command, sub, name, value] = args.map(String);
    this.sent.push(args.join(" "));
    await Promise.resolve();
    if (this.away) throw new RedisFailure("the connection was lost", true);
    if (command !== "CONFIG") throw new RedisFailure(`ERR unknown command '${command}'`, false, "ERR");
    if (this.forbidden.includes(sub as "GET")) {
      throw new RedisFailure(`NOPERM User x has no permissions to run the 'config|${sub}' command`, false, "NOPERM");
    }
    if (name !== "notify-keyspace-events") throw new RedisFailure(`ERR Unknown option '${name}'`, false, "ERR");
    if (sub === "SET" && this.mute) throw new RedisFailure("ERR CONFIG SET failed", false, "ERR");
    if (sub === "GET") return [Buffer.from(name), Buffer.from(this.flags)];
    this.flags = value ?? "";
    return "OK";
  }
}

/** What the hub asked of its subscriber, which answers when it is told to. */
export class FakeSubscriber implements Subscriber {
  readonly listener: PushListener;
  readonly asked: string[] = [];
  /** Answers at once; else what is asked waits in `pending`. */
  prompt = true;
  readonly pending: Deferred<void>[] = [];
  closed = 0;

  constructor(listener: PushListener) {
    this.listener = listener;
  }

  async subscribe(channel: string): Promise<void> {
    this.asked.push(`+${channel}`);
    return this.#answer();
  }

  unsubscribe(channel: string): void {
    this.asked.push(`-${channel}`);
  }

  async subscribePattern(pattern: string): Promise<void> {
    this.asked.push(`+*${pattern}`);
    return this.#answer();
  }

  unsubscribePattern(pattern: string): void {
    this.asked.push(`-*${pattern}`);
  }

  async close(): Promise<void> {
    this.closed++;
  }

  #answer(): Promise<void> {
    const answer = deferred<void>();
    if (this.prompt) answer.resolve();
    else this.pending.push(answer);
    return answer.promise;
  }
}

/** A router without a server. */
export class FakeRouter implements Router {
  readonly topology: Router["topology"] = "single";
  nodes: readonly FakeNode[];
  readonly subscribers: FakeSubscriber[] = [];
  readonly sent: (readonly Arg[])[] = [];
  /** What a command other than those to a node is answered with. */
  answer: () => Promise<Reply> = async () => 0;

  constructor(...nodes: FakeNode[]) {
    this.nodes = nodes;
  }

  /** The one subscriber there is. */
  get subscriberMade(): FakeSubscriber {
    const [one, ...more] = this.subscribers;
    if (!one || more.length > 0) throw new Error(`${this.subscribers.length} subscribers`);
    return one;
  }

  async ready(): Promise<void> {
    await Promise.resolve();
  }

  isReady(): boolean {
    return true;
  }

  async send(_route: string, _key: string | undefined, args: readonly Arg[]): Promise<Reply> {
    this.sent.push(args);
    return this.answer();
  }

  slotOf(): number {
    return 0;
  }

  async primaries(): Promise<{ nodes: readonly Node[]; epoch: string }> {
    return { nodes: this.nodes, epoch: "1" };
  }

  subscriber(listener: PushListener): Subscriber {
    const one = new FakeSubscriber(listener);
    this.subscribers.push(one);
    return one;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
