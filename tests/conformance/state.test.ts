import { stateCases } from "../../src/testing/state-suite.ts";
import { conformAbove } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conformAbove("state", stateCases, subjects);
