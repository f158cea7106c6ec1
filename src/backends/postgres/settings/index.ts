// How a server is set, for `open` and for `holdfast doctor`.
//
// - `account`: what a server says of itself. `rules`: what is to be said of that, and what it leaves of the promises.
// - `tables`: how ours are, and what the user may do with them. `connections`: how many are left.

import { UnavailableError } from "../../../base/errors.ts";
import type { Capabilities, Examination, Fact } from "../../../port/index.ts";
import { enforce, risk, type SettingsMode } from "../../common/findings.ts";
import { failureOf } from "../../sql/failures.ts";
import type { TablePlan } from "../../sql/migrations.ts";
import { clockFact, examinationOf, fact, leavesOpenOf, type Asking } from "../../sql/settings.ts";
import { judgeTables } from "../../sql/tables.ts";
import type { Promised } from "../capabilities.ts";
import type { PostgresClient } from "../client.ts";
import { readAccount, type Account } from "./account.ts";
import { examineConnections } from "./connections.ts";
import { durabilityOf, judge, waitsForStandby } from "./rules.ts";
import { examineTables, judgeRights } from "./tables.ts";

export { judgeRights } from "./tables.ts";

/**
 * Looks at the settings of a server. Rejects with UnsupportedError where one breaks a promise (`mode: "refuse"`), or
 * where the server can never work, and with UnavailableError where it is a standby, for a moment perhaps.
 */
export async function checkSettings(mode: SettingsMode, asking: PostgresAsking): Promise<Promised> {
  const { backend, client } = asking;
  const account = await readAccount(asking);
  if (account.standby) {
    const message = "the server is a standby, which takes no writes: connect to its primary";
    throw new UnavailableError(message, { backend, refused: true });
  }
  enforce(judge(account), mode, backend, client);
  return { durability: durabilityOf(account), hears: !(await isDeaf(asking)) };
}

/** Everything that can be learned of a server, whether or not a backend would open on it. */
export async function examineServer(
  plan: TablePlan,
  capabilities: (promised: Promised) => Capabilities,
  asking: PostgresAsking,
): Promise<Examination> {
  const account = await readAccount(asking);
  const rights = await judgeRights(plan, asking);
  const tables = await examineTables(plan, asking);
  const deaf = await isDeaf(asking);
  const connections = await examineConnections(account, asking);
  return examinationOf(
    {
      facts: [...factsOf(account), ...connections.facts, ...tables.facts, ...clockFact(account.clock)],
      capabilities: capabilities({ durability: durabilityOf(account), hears: !deaf }),
      leavesOpen: leavesOpen(account),
      judgements: [
        ...judge(account),
        ...(deaf ? [judgedDeaf] : []),
        await judgeTables(asking.client, plan, asking),
        ...rights,
        ...tables.judgements,
        ...connections.judgements,
      ],
    },
    asking,
  );
}

/** Asks through a client of Postgres. */
export interface PostgresAsking extends Asking {
  readonly client: PostgresClient;
}

/** Why changes are not told. */
export const whyDeaf =
  "there is a pooler in front of Postgres, through which notifications may not come: name the server, or a pooler " +
  "that keeps sessions, as listenUrl";

const judgedDeaf = risk(
  "a pooler in between",
  "notifications may not come through it: who waits for a lock asks again and again, and watch() is refused",
  "name the server, or a pooler that keeps sessions, as listenUrl",
);

async function isDeaf({ client, backend, deadline }: PostgresAsking): Promise<boolean> {
  try {
    return await client.isDeaf({ deadline });
  } catch (error) {
    throw failureOf(error, backend);
  }
}

function factsOf(account: Account): Fact[] {
  const { setting, standby, standbys } = account;
  const sync = setting("synchronous_standby_names");
  return [
    ...fact("server", "version", account.version),
    ...fact("server", "role", standby ? "standby" : "primary"),
    ...fact("server", "database", account.database),
    ...fact("server", "user", account.user),
    ...fact("server", "encoding", setting("server_encoding")),
    ...fact("server", "time zone", setting("TimeZone")),
    ...fact("persistence", "fsync", setting("fsync")),
    ...fact("persistence", "full_page_writes", setting("full_page_writes")),
    ...fact("persistence", "synchronous_commit", setting("synchronous_commit")),
    ...fact("persistence", "data checksums", setting("data_checksums")),
    ...fact("replication", "standbys", standbys),
    ...fact("replication", "synchronous", sync, sync === "" ? "none" : sync),
  ];
}

function leavesOpen(account: Account): string[] {
  return leavesOpenOf(durabilityOf(account), {
    powerCut: "A power cut loses acknowledged writes, and may leave nothing that can be read.",
    awaited: waitsForStandby(account)
      ? "A failover to a synchronous standby loses nothing that was acknowledged. One to another server does: it " +
        "may not know of a lock, and grants it again while its first holder goes on."
      : undefined,
  });
}
