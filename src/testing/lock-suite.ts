import { closingCases } from "./lock/closing.ts";
import { closingInsideCases } from "./lock/closing-inside.ts";
import { commitCases } from "./lock/commits.ts";
import { extensionCases } from "./lock/extensions.ts";
import { fingerprintCases } from "./lock/fingerprints.ts";
import { handingOverCases } from "./lock/handing-over.ts";
import { holderCases } from "./lock/holders.ts";
import { kindCases } from "./lock/kinds.ts";
import { refusingCases } from "./lock/refusing.ts";
import { replyCases } from "./lock/replies.ts";
import { renewalCases } from "./lock/renewals.ts";
import { runFailureCases } from "./lock/run-failures.ts";
import { runCases } from "./lock/runs.ts";
import { severalCases } from "./lock/several.ts";
import { sharedCases } from "./lock/shared.ts";
import { signalCases } from "./lock/signals.ts";
import { waitingCases } from "./lock/waiting.ts";
import type { Case } from "./suite.ts";

/** What locks must do on every backend. Bind them to a backend with `bindSuite`. */
export const lockCases: readonly Case[] = [
  ...holderCases,
  ...handingOverCases,
  ...renewalCases,
  ...waitingCases,
  ...replyCases,
  ...refusingCases,
  ...extensionCases,
  ...severalCases,
  ...runCases,
  ...runFailureCases,
  ...commitCases,
  ...fingerprintCases,
  ...sharedCases,
  ...kindCases,
  ...closingCases,
  ...signalCases,
  ...closingInsideCases,
];
