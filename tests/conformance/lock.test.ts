import { lockCases } from "../../src/testing/lock-suite.ts";
import { conformAbove } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conformAbove("lock", lockCases, subjects, ({ ownSignals }) => ownSignals === true);
