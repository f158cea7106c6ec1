import { lockCases } from "../../src/testing/lock-suite.ts";
import { conform } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conform("lock", lockCases, subjects);
