import { UnavailableError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import { RedisFailure, type Reply } from "../router.ts";

/** What is asked within one deadline. */
export interface Asking {
  readonly time: Time;
  /** A moment of `time.monotonic()`. */
  readonly deadline: number;
}

/** `promise`, or UnavailableError at the deadline: a router sends, and leaves it to its caller how long to wait. */
export async function within<T>(promise: Promise<T>, { time, deadline }: Asking): Promise<T> {
  let timer: { clear(): void } | undefined;
  const end = new Promise<never>((_, reject) => {
    const late = (): void => reject(new UnavailableError("the server did not answer in time", { backend: "redis" }));
    timer = time.after(deadline - time.monotonic(), late, { ref: true });
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    timer?.clear();
  }
}

/** Error replies that tell of the moment, not of the command. */
const passing = new Set(["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"]);

/** What became of a question. `refused`: the command is not allowed, not known, renamed. */
export type Answer = { readonly reply: Reply } | { readonly reply: undefined; readonly refused: RedisFailure };

/** The answer, also where the server refuses the command. Rejects with UnavailableError where none comes. */
export async function answer(promise: Promise<Reply>, asking: Asking): Promise<Answer> {
  try {
    return { reply: await within(promise, asking) };
  } catch (error) {
    if (!(error instanceof RedisFailure)) throw error;
    if (error.reply !== undefined && !passing.has(error.reply)) return { reply: undefined, refused: error };
    throw new UnavailableError(`the server could not be asked what it is: ${error.message}`, {
      backend: "redis",
      cause: error,
    });
  }
}

/** The reply, or undefined where the server refuses the command. Rejects with UnavailableError where none comes. */
export async function ask(promise: Promise<Reply>, asking: Asking): Promise<Reply | undefined> {
  return (await answer(promise, asking)).reply;
}

/** A reply as text; empty for none. */
export function textOf(reply: unknown): string {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  return typeof reply === "string" || typeof reply === "number" ? String(reply) : "";
}

/** Names and values, from a flat list. */
export function pairsOf(reply: unknown): Map<string, string> {
  const list: readonly unknown[] = Array.isArray(reply) ? reply : [];
  const pairs = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) pairs.set(textOf(list[i]), textOf(list[i + 1]));
  return pairs;
}

/** Lines of `name:value`, as INFO and CLUSTER INFO have them. */
export function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
