import { conditionCases } from "./port/conditions.ts";
import { contentionCases } from "./port/contention.ts";
import { deadlineCases } from "./port/deadlines.ts";
import { endingCases } from "./port/endings.ts";
import { expiryCases } from "./port/expiry.ts";
import { floorCases } from "./port/floors.ts";
import { groupCases } from "./port/groups.ts";
import { guardCases } from "./port/guards.ts";
import { lockCases } from "./port/locks.ts";
import { pageCases } from "./port/pages.ts";
import { queueCases } from "./port/queues.ts";
import { recordCases } from "./port/records.ts";
import { sessionCases } from "./port/sessions.ts";
import { sharedCases } from "./port/shared.ts";
import { signalCases } from "./port/signals.ts";
import { stampCases } from "./port/stamps.ts";
import type { Case } from "./suite.ts";

/** What every backend must do, by the sentences of the port. Bind them to a backend with `bindSuite`. */
export const portCases: readonly Case[] = [
  ...sessionCases,
  ...recordCases,
  ...conditionCases,
  ...contentionCases,
  ...groupCases,
  ...expiryCases,
  ...endingCases,
  ...stampCases,
  ...floorCases,
  ...lockCases,
  ...guardCases,
  ...queueCases,
  ...sharedCases,
  ...signalCases,
  ...pageCases,
  ...deadlineCases,
];
