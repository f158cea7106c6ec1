import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Tells a child what to do; gives its answer. */
export async function answer(child: ChildProcess, order: unknown): Promise<unknown> {
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`a contender ended with ${code}`);
  });
  const answered = once(child, "message").then(([message]) => message as unknown);
  child.send(order as object);
  failed.catch(() => {}); // one that ends after its answer has done its work
  return Promise.race([answered, failed]);
}
