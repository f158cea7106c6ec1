import { loadFrom, reachBackends, type Reach } from "../../scripts/lib/backends.ts";
import type { TestSubject } from "./conform.ts";

/** What `tests/backends/<name>/subjects.ts` exports: its subjects, or those on what was reached. */
interface Subjects {
  readonly subjects: readonly TestSubject[] | ((reached: Reach) => readonly TestSubject[]);
}

const only = process.env["HOLDFAST_SUBJECTS"]?.split(",");
const present = (await reachBackends()).filter(
  ({ backend, missing }) => missing === undefined && (only === undefined || only.includes(backend)),
);
const loaded = present.map(async (reached) => {
  const { subjects: found } = await loadFrom<Subjects>(reached.folder, "subjects.ts");
  return typeof found === "function" ? found(reached) : found;
});

/**
 * Every backend that the conformance suites run on: those that can be reached here, which `npm test` lists. HOLDFAST_SUBJECTS
 * names some of them, such as `redis,redis-cluster`.
 */
export const subjects: readonly TestSubject[] = (await Promise.all(loaded)).flat();
