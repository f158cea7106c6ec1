import { cacheCases } from "../../src/testing/cache-suite.ts";
import { conform } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conform("cache", cacheCases, subjects);
