import type { Reach } from "../../../scripts/lib/backends.ts";
import type { TestSubject } from "../../support/conform.ts";
import { redisSubject } from "../../support/redis/subjects.ts";
import type { ServerKind } from "./servers.ts";

/** The kinds of server that are there, each in its arrangements. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  return [redisSubject(backend, server as ServerKind)];
}
