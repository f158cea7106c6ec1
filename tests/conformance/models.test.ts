import { compareHistories } from "../support/models/histories.ts";
import { compareLocks } from "../support/models/locks.ts";
import { subjects } from "../support/subjects.ts";

for (const subject of subjects) {
  compareLocks(subject);
  compareHistories(subject);
}
