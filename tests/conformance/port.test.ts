import { portCases } from "../../src/testing/port-suite.ts";
import { conform } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conform("port", portCases, subjects);
