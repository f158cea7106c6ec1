import { driverMissing, loadDriver as load } from "../../common/driver.ts";
import { dependency } from "../dependency.ts";
import type { Arg, Reply } from "../router.ts";
import { BACKEND } from "./failures.ts";

/** What is needed of a client of package `redis`. */
export interface NodeRedisClient {
  readonly options?: NodeRedisOptions | undefined;
  connect(): Promise<unknown>;
  destroy(): void;
  ref(): void;
  unref(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  duplicate(overrides: NodeRedisOptions): NodeRedisClient;
  sendCommand(args: readonly Arg[], options?: CommandOptions): Promise<unknown>;
  subscribe(channel: string, listener: BufferListener, bufferMode: true): Promise<unknown>;
  unsubscribe(channel: string, listener: BufferListener, bufferMode: true): Promise<unknown>;
  pSubscribe(pattern: string, listener: BufferListener, bufferMode: true): Promise<unknown>;
  pUnsubscribe(pattern: string, listener: BufferListener, bufferMode: true): Promise<unknown>;
}

/** Called with the body and the channel. */
export type BufferListener = (body: Buffer, channel: Buffer | string) => void;

export interface CommandOptions {
  /** Undefined switches the driver's timer of each command off: deadlines are ours, and it costs most of the speed. */
  readonly timeout: undefined;
  readonly typeMapping: Readonly<Record<number, unknown>>;
}

export interface NodeRedisOptions {
  readonly RESP?: 2 | 3;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  readonly name?: string | undefined;
  readonly socket?: object;
  readonly commandOptions?: CommandOptions;
  readonly disableOfflineQueue?: boolean;
  readonly commandsQueueMaxLength?: number;
  readonly maintNotifications?: "disabled";
  readonly clientInfoTag?: string;
  readonly [other: string]: unknown;
}

/** Bulk strings (`$`) as buffers. Every connection speaks RESP 2. */
export const TYPES: CommandOptions["typeMapping"] = { [36]: Buffer };

export interface NodeRedisModule {
  createClient(options: NodeRedisOptions): NodeRedisClient;
}

/** Loads the driver on first use. Rejects with UnsupportedError. */
export async function loadDriver(): Promise<NodeRedisModule> {
  const loaded: unknown = await load(BACKEND, dependency, () => import("redis"));
  const { createClient } = loaded as Partial<NodeRedisModule>;
  if (typeof createClient !== "function") {
    throw driverMissing(BACKEND, dependency, "and what is installed is another version of it");
  }
  return { createClient };
}

/** A driver's reply, which with {@link TYPES} has no other types. */
export function asReply(reply: Promise<unknown>): Promise<Reply> {
  return reply as Promise<Reply>;
}
