import assert from "node:assert/strict";
import { isHoldfastError, type ErrorCode } from "../../../../src/base/errors.ts";
import { systemTime, type Time } from "../../../../src/base/time.ts";
import { makeRouter, type RedisOptions } from "../../../../src/backends/redis/connections/index.ts";
import {
  RedisFailure,
  type Arg,
  type PushListener,
  type Reply,
  type Router,
} from "../../../../src/backends/redis/router.ts";

/** A moment of the system's clock, 5 s from now unless told. */
export function soon(ms = 5_000): number {
  return systemTime.monotonic() + ms;
}

/** Timers that run so many times faster, for what takes seconds. */
export function fasterTime(times: number): Time {
  return {
    wall: () => systemTime.wall(),
    monotonic: () => systemTime.monotonic() * times,
    after: (ms, fn, options) => systemTime.after(ms / times, fn, options),
  };
}

/** Routers that are closed after their test. */
export class Routers {
  readonly #open: Router[] = [];

  make(options: RedisOptions | string, time: Time = systemTime): Router {
    const router = makeRouter(typeof options === "string" ? { url: options } : options, time);
    this.#open.push(router);
    return router;
  }

  async ready(options: RedisOptions | string): Promise<Router> {
    const router = this.make(options);
    await router.ready(soon());
    return router;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(async (router) => router.close()));
  }
}

export async function command(router: Router, ...args: readonly Arg[]): Promise<Reply> {
  return router.send("commands", undefined, args);
}

/** The failure that a command ends in. */
export async function failure(reply: Promise<Reply>): Promise<RedisFailure> {
  const error: unknown = await reply.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RedisFailure, `no RedisFailure but ${String(error)}`);
  return error;
}

/** Checks the error of a promise, and that it shows no secret anywhere. */
export async function rejectsWith(
  code: ErrorCode,
  message: RegExp,
  promise: Promise<unknown>,
  secret?: string,
): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error, code), `no ${code} but ${String(error)}`);
  assert.match(error.message, message);
  for (let one: unknown = error; one instanceof Error && secret !== undefined; one = one.cause) {
    assert.ok(!`${one.message}${one.stack}${JSON.stringify(one)}`.includes(secret), "it shows the secret");
  }
}

/** What a subscriber was told, and a way to wait for more. */
export class Heard implements PushListener {
  readonly messages: { readonly channel: string; readonly body: string; readonly pattern: string | undefined }[] = [];
  gaps = 0;
  #waiting: (() => void)[] = [];

  message(channel: string, body: Buffer, pattern: string | undefined): void {
    this.messages.push({ channel, body: body.toString(), pattern });
    this.#tell();
  }

  gap(): void {
    this.gaps++;
    this.#tell();
  }

  /** Resolves when `isSo`, which is asked after each message and gap. Rejects if it is not within 20 s. */
  async until(isSo: () => boolean): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const end = new Promise<never>((_, reject) => {
      late = setTimeout(() => {
        reject(new Error(`waited in vain: ${this.messages.length} messages, ${this.gaps} gaps`));
      }, 20_000);
    });
    try {
      while (!isSo()) await Promise.race([end, new Promise<void>((resolve) => this.#waiting.push(resolve))]);
    } finally {
      clearTimeout(late);
    }
  }

  #tell(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}
