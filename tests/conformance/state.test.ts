import { stateCases } from "../../src/testing/state-suite.ts";
import { conform } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conform("state", stateCases, subjects);
