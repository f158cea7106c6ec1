import { loadFrom, reachBackends, type Reach } from "../../scripts/lib/backends.ts";
import type { FoundSubject, TestSubject } from "./conform.ts";

/** What `tests/backends/<name>/subjects.ts` exports: its subjects, or those on what was reached. */
interface Subjects {
  readonly subjects: readonly TestSubject[] | ((reached: Reach) => readonly TestSubject[]);
}

const only = process.env["HOLDFAST_SUBJECTS"]?.split(",");
const all = await reachBackends();
for (const name of only ?? []) {
  const found = all.find(({ backend }) => backend === name);
  if (!found)
    throw new Error(`HOLDFAST_SUBJECTS: "${name}" is no backend: ${all.map(({ backend }) => backend).join()}`);
  if (found.missing !== undefined) throw new Error(`HOLDFAST_SUBJECTS: ${name} cannot be reached: ${found.missing}`);
}
const present = all.filter(({ missing }) => missing === undefined);
const wanted = present.filter(({ backend }) => only === undefined || only.includes(backend));
const loaded = wanted.map(async (reached): Promise<FoundSubject[]> => {
  const { subjects: found } = await loadFrom<Subjects>(reached.folder, "subjects.ts");
  const on = (one: Reach): readonly TestSubject[] => (typeof found === "function" ? found(one) : found);
  const family = present.filter(({ folder }) => folder === reached.folder).flatMap(on);
  return on(reached).map((subject) => ({ ...subject, model: family.find(({ name }) => name === subject.like) }));
});

/**
 * Every backend that the conformance suites run on: those that can be reached here, which `npm test` lists. HOLDFAST_SUBJECTS
 * names some of them, such as `redis,redis-cluster`; a name that is none of them fails the file, for it would test nothing.
 */
export const subjects: readonly FoundSubject[] = (await Promise.all(loaded)).flat();
