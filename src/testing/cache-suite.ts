import { awayCases } from "./cache/away.ts";
import { changeCases } from "./cache/changes.ts";
import { entryCases } from "./cache/entries.ts";
import { failureCases } from "./cache/failures.ts";
import { lateWriteCases } from "./cache/late-writes.ts";
import { loaderCases } from "./cache/loaders.ts";
import { loadCases } from "./cache/loads.ts";
import { signalCases } from "./cache/signals.ts";
import { sweepCases } from "./cache/sweeping.ts";
import { touchCases } from "./cache/touching.ts";
import { valueCases } from "./cache/values.ts";
import type { Case } from "./suite.ts";

/** What a cache must do on every backend. Bind them to a backend with `bindSuite`. */
export const cacheCases: readonly Case[] = [
  ...valueCases,
  ...loadCases,
  ...loaderCases,
  ...changeCases,
  ...entryCases,
  ...touchCases,
  ...awayCases,
  ...lateWriteCases,
  ...failureCases,
  ...signalCases,
  ...sweepCases,
];
