import type { Reach } from "../../../scripts/lib/backends.ts";
import type { TestSubject } from "../../support/conform.ts";
import { redisSubject } from "../../support/redis/subjects.ts";
import type { ServerKind } from "./servers.ts";

/** What runs all suites is one of each maker and topology. A Sentinel tells where the server is, and no more. */
const like: Readonly<Record<string, string>> = {
  redis6: "redis",
  redis8: "redis",
  "redis6-cluster": "redis-cluster",
  "valkey-cluster": "redis-cluster",
  "redis-sentinel": "redis",
  "redis6-sentinel": "redis",
  "valkey-sentinel": "valkey",
};

/** The kinds of server that are there, each in its arrangements. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  return [{ ...redisSubject(backend, server as ServerKind), like: like[backend] }];
}
