/** What the commit thread is started with. */
export interface ThreadData {
  readonly path: string;
  readonly prefix: string;
}

/** The file of the commit thread: beside this one, as source or compiled. */
export const threadFile = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
