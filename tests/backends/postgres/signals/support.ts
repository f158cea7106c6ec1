import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { postgresClient, type PostgresClient } from "../../../../src/backends/postgres/client.ts";
import { postgresDialect } from "../../../../src/backends/postgres/dialect.ts";
import { postgresTables } from "../../../../src/backends/postgres/migrations.ts";
import { Channels } from "../../../../src/backends/postgres/signals/channels.ts";
import { postgresSignals } from "../../../../src/backends/postgres/signals/index.ts";
import type { SignalHub } from "../../../../src/backends/common/signal-hub.ts";
import type { Statement } from "../../../../src/backends/sql/client.ts";
import type { Dialect } from "../../../../src/backends/sql/dialect.ts";
import type { TableNames } from "../../../../src/backends/sql/identifiers.ts";
import { openTables } from "../../../../src/backends/sql/tables.ts";
import { drawId } from "../../../../src/base/ids.ts";
import { space, type Key, type Space } from "../../../../src/base/keys.ts";
import { systemTime, type Time } from "../../../../src/base/time.ts";
import type { Signal, Subscription } from "../../../../src/port/index.ts";
import type { VirtualTime } from "../../../../src/testing/virtual-time.ts";
import { drawPrefix } from "../../../support/sql/place.ts";
import type { PostgresServer } from "../../../support/sql/postgres.ts";
import { sharedServer } from "../../../support/sql/shared.ts";

/** How long a test waits for a signal, in real ms. */
const patience = 10_000;

export const records: Space = space("state", "svc", "records");

/** A hub on tables of its own, with what a backend has beside it. */
export class World {
  readonly server: PostgresServer;
  readonly client: PostgresClient;
  readonly names: TableNames;
  readonly dialect: Dialect;
  readonly hub: SignalHub;
  readonly channels: Channels;
  readonly time: Time;
  readonly prefix: string;

  private constructor(server: PostgresServer, url: string, options: WorldOptions) {
    const { time = systemTime, listenUrl, prefix = drawPrefix(), domain = prefix } = options;
    this.server = server;
    this.time = time;
    this.prefix = prefix;
    this.client = postgresClient({ url, ...(listenUrl !== undefined && { listenUrl }) }, time);
    this.names = postgresTables("public", prefix).names;
    this.dialect = postgresDialect(this.names);
    const opened = { domain };
    const opening = { opened, openBefore: async () => opened };
    this.hub = postgresSignals({ time, client: this.client, names: this.names, opening }).hub;
    this.channels = new Channels(JSON.stringify([domain, "public", prefix]));
  }

  /** Ends with the test. */
  static async of(t: TestContext, options: WorldOptions = {}): Promise<World> {
    const server = (await sharedServer("postgres15")) as PostgresServer;
    const world = new World(server, options.url ?? server.url, options);
    t.after(async () => {
      await world.hub.close();
      await world.client.close();
    });
    const maker = postgresClient({ url: server.url });
    await openTables(maker, postgresTables("public", world.prefix), "auto", { ...soon(), time: systemTime });
    await maker.close();
    return world;
  }

  /** Listens as a session of its own; live when it resolves. */
  async listen(to: Subscription, session = drawId()): Promise<Heard> {
    const heard = new Heard();
    heard.stop = await this.hub.signalsOf(session).subscribe(to, (signal) => heard.signals.push(signal));
    return heard;
  }

  async watch(prefix = "", in_ = records): Promise<Heard> {
    return this.listen({ changes: in_, prefix });
  }

  /** Writes records whatever is there, in one statement. */
  async set(keys: readonly string[], in_ = records, ttl?: number): Promise<void> {
    await this.write(this.setOf(keys, in_, ttl));
  }

  setOf(keys: readonly string[], in_ = records, ttl?: number): Statement {
    const end = ttl === undefined ? undefined : ({ in: ttl } as const);
    const rows = keys.map((key) => ({ key: { space: in_, key }, version: drawId(), format: 1, value: "v" }) as const);
    return this.dialect.set(rows.map((row) => ({ ...row, end, stamps: undefined })));
  }

  removeOf(keys: readonly string[]): Statement {
    return this.dialect.remove("records", keys.map(keyOf));
  }

  async write(statement: Statement): Promise<readonly (readonly unknown[])[]> {
    const reply = await this.client.write(() => statement, this.soon());
    return reply?.rows ?? [];
  }

  async query(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return this.server.query(text);
  }

  /** Ends the connections that listen, of all worlds on this server. */
  async killListeners(): Promise<void> {
    const mine = "datname = current_database() AND (query LIKE 'LISTEN%' OR query = 'SELECT')";
    const killed = await this.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${mine}`);
    assert.ok(killed.length > 0, "somebody listens");
  }

  /**
   * Lets virtual time pass, no faster than the server answers: else every request of the world would be late at once.
   */
  async pass(time: VirtualTime, ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      await this.query("SELECT 1");
      await time.advance(Math.min(left, 500));
    }
  }

  soon(): { readonly deadline: number } {
    return soon(this.time);
  }
}

export interface WorldOptions {
  readonly time?: Time;
  readonly url?: string;
  readonly listenUrl?: string;
  readonly prefix?: string;
  readonly domain?: string;
}

function soon(time: Time = systemTime): { readonly deadline: number } {
  return { deadline: time.monotonic() + 10_000 };
}

export function keyOf(key: string): Key {
  return { space: records, key };
}

/** What somebody has been told. */
export class Heard {
  readonly signals: Signal[] = [];
  stop: () => void = () => undefined;

  get changed(): readonly string[] {
    return this.signals.flatMap((signal) => (signal.type === "changed" ? [signal.key.key] : []));
  }

  get messages(): readonly string[] {
    return this.signals.flatMap((signal) => (signal.type === "message" ? [signal.body] : []));
  }

  get gaps(): number {
    return this.signals.filter(({ type }) => type === "gap").length;
  }

  /** Waits until that is so. */
  async until(what: string, is: (heard: this) => boolean): Promise<void> {
    await until(`was not told of ${what}`, () => is(this));
  }
}

export async function until(otherwise: string, is: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + patience;
  while (!(await is())) {
    assert.ok(performance.now() < end, otherwise);
    await pause(2);
  }
}
