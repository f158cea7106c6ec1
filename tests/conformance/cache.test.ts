import { cacheCases } from "../../src/testing/cache-suite.ts";
import { conformAbove } from "../support/conform.ts";
import { subjects } from "../support/subjects.ts";

await conformAbove("cache", cacheCases, subjects);
