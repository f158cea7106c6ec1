/*
 * Who is who on Redis:
 *
 * `backend.ts`      opens, looks at the servers' settings, and makes sessions, which share what `shared.ts` lists.
 * `session.ts`      one instance: a call of `execute` becomes a `Batch`, a call of `page` a `Listing` (`pages.ts`).
 * `batch.ts`        groups on their way. `plan.ts` sorts them into `parts.ts`: an MGET, an MSET, calls of the script.
 * `encode.ts`       writes a call of the script, `decode.ts` reads its reply, in the words of `lua/opcodes.ts`.
 * `lua/`            the one script, which checks everything of a group before it writes anything of it.
 * `passing.ts`      looks at locks that somebody waits for when a hold ends: the server does nothing by itself.
 * `router.ts`       what the backend asks of its connections. `connections/` has it: one server, Sentinel, a cluster.
 * `signals/`        grants, messages and changes, over one subscriber for all sessions.
 * `settings/`       how the servers are set, for `open` and for `holdfast doctor`.
 */
export { redisBackend } from "./backend.ts";
export { fromIoredis } from "./connections/index.ts";
export type { AdaptedClient, RedisOptions, RedisTlsOptions } from "./connections/index.ts";
