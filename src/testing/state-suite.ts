import { batchCases } from "./state/batches.ts";
import { callCases } from "./state/calls.ts";
import { conditionCases } from "./state/conditions.ts";
import { crowdCases } from "./state/crowds.ts";
import { endCases } from "./state/ends.ts";
import { expiryCases } from "./state/expiry.ts";
import { guardedCases } from "./state/guarded.ts";
import { keyCases } from "./state/keys.ts";
import { ownEndingCases } from "./state/own-endings.ts";
import { ownLeaseCases } from "./state/own-leases.ts";
import { ownCases } from "./state/own.ts";
import { signalCases } from "./state/signals.ts";
import { transactionRefusalCases } from "./state/refusals.ts";
import { schemaCases } from "./state/schemas.ts";
import { takeCases } from "./state/taking.ts";
import { transactionCases } from "./state/transactions.ts";
import { turnCases } from "./state/turns.ts";
import { updateCases } from "./state/updates.ts";
import { valueCases } from "./state/values.ts";
import { watchCases } from "./state/watching.ts";
import type { Case } from "./suite.ts";

/**
 * What a state store must do on every backend, by the sentences of the contract. Bind them to a backend with
 * `bindSuite`.
 */
export const stateCases: readonly Case[] = [
  ...valueCases,
  ...conditionCases,
  ...updateCases,
  ...crowdCases,
  ...expiryCases,
  ...endCases,
  ...keyCases,
  ...takeCases,
  ...guardedCases,
  ...transactionCases,
  ...turnCases,
  ...transactionRefusalCases,
  ...batchCases,
  ...watchCases,
  ...schemaCases,
  ...callCases,
  ...signalCases,
  ...ownCases,
  ...ownLeaseCases,
  ...ownEndingCases,
];
