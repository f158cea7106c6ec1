import { portCases } from "../../src/testing/port-suite.ts";
import { compareLikes, conform } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conform("port", portCases, subjects);
compareLikes(subjects);
