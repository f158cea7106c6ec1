import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

/** Tells a child what to do; gives its answer. */
export async function answer(child: ChildProcess, order: unknown): Promise<unknown> {
  // Whichever comes, the other one is listened to no longer.
  const over = new AbortController();
  const { signal } = over;
  const failed = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a contender ended with ${code}`);
  });
  const answered = once(child, "message", { signal }).then(([message]) => message as unknown);
  failed.catch(() => {}); // one that ends after its answer has done its work
  answered.catch(() => {}); // nobody awaits the answer of one that has ended
  child.send(order as object);
  try {
    return await Promise.race([answered, failed]);
  } finally {
    over.abort();
  }
}

/** Starts a process of `file` of this folder for each name, and ends them all when `use` has. */
export async function withChildren<Name extends string, R>(
  file: string,
  names: readonly Name[],
  use: (children: readonly { readonly name: Name; readonly child: ChildProcess }[]) => Promise<R>,
): Promise<R> {
  const children = names.map((name) => ({
    name,
    child: fork(path.join(import.meta.dirname, file), { serialization: "advanced" }),
  }));
  try {
    return await use(children);
  } finally {
    for (const { child } of children) child.kill("SIGKILL");
  }
}
