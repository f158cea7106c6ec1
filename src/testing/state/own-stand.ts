import assert from "node:assert/strict";
import type { Instance } from "../../client/index.ts";
import type { Capabilities } from "../../port/index.ts";
import type { OwnStateStore, StateStore } from "../../state/index.ts";
import type { Application, ApplicationConnection, CaseContext } from "../suite.ts";
import { instanceOf, storeOn } from "./client.ts";

/** Groups can be part of transactions of the application. */
export const takesPart = ({ within }: Capabilities): boolean => within === true;

/** An application beside a store. */
export interface Stand {
  readonly application: Application;
  readonly instance: Instance;
  readonly store: StateStore<number>;
  /** The same entries, seen by another instance. */
  readonly other: StateStore<number>;
}

export async function stand(context: CaseContext): Promise<Stand> {
  const application = await context.place.application?.();
  assert.ok(application, "a place of a backend that declares `within` has an application");
  const instance = instanceOf(context);
  return { application, instance, store: storeOn<number>(instance), other: storeOn<number>(instanceOf(context)) };
}

/** A connection with a transaction, and the store within it. */
export interface Own extends ApplicationConnection {
  readonly entries: OwnStateStore<number>;
}

export async function begin({ application, store }: Stand): Promise<Own> {
  const connection = await application.connect();
  await connection.run("BEGIN");
  const { own } = connection;
  return {
    own,
    entries: store.within(own),
    run: async (sql) => connection.run(sql),
    insert: async (row) => connection.insert(row),
    cut: async () => connection.cut(),
    close: async () => connection.close(),
  };
}

/** Runs a transaction of the application, and commits it. */
export async function transaction<R>(at: Stand, fn: (own: Own) => Promise<R>): Promise<R> {
  const own = await begin(at);
  try {
    const result = await fn(own);
    await own.run("COMMIT");
    return result;
  } finally {
    await own.close();
  }
}
