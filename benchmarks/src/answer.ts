import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

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
